import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Linux assigns only ports from here on by itself (ip_local_port_range). */
const usualFirstEphemeral = 32_768;
const firstOffered = 10_240;

/**
 * Finds a TCP port of 127.0.0.1 on which nothing listens. The port is below those that Linux assigns by itself: a server such
 * as Temporal's takes several of those while it starts, and could take this one before its owner does.
 */
export async function freePort(): Promise<number> {
  const first = firstEphemeral();
  const end = first > firstOffered ? first : usualFirstEphemeral;
  for (let tries = 0; tries < 1000; tries++) {
    const port = randomInt(firstOffered, end);
    if (await isPortFree(port)) return port;
  }
  throw new Error(`1000 ports between ${firstOffered} and ${end - 1} of 127.0.0.1 were tried, and none is free`);
}

function firstEphemeral(): number {
  try {
    const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
    return first ?? usualFirstEphemeral;
  } catch {
    return usualFirstEphemeral; // not Linux
  }
}

/** Whether a server could listen on the port of 127.0.0.1. Rejects when the port cannot be used at all, as one below 1024. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
