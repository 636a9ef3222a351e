import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { PortInUse } from './errors.js';

/** Below these, Linux gives out no ports by itself, neither to connections nor to servers that ask for any (ip_local_port_range). */
const usualFirstEphemeral = 32_768;
const firstOffered = 10_240;

/**
 * A TCP port of 127.0.0.1 that nothing listens on now. It is none of those that Linux gives out by itself: servers such as
 * Temporal's ask for several of these while they start, and would take it before its own turn comes.
 */
export async function freePort(): Promise<number> {
  const [first = usualFirstEphemeral] = textOf('/proc/sys/net/ipv4/ip_local_port_range').split(/\s+/).map(Number);
  const end = first > firstOffered ? first : usualFirstEphemeral;
  for (let tries = 0; tries < 1000; tries++) {
    const port = randomInt(firstOffered, end);
    if (await isPortFree(port)) return port;
  }
  throw new PortInUse(`none of the ports ${firstOffered} to ${end - 1} of 127.0.0.1 that were tried is free`);
}

/** Whether a server could listen on the port of 127.0.0.1. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(new PortInUse(`port ${port} on 127.0.0.1 cannot be used: ${error.message}`, { cause: error }));
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export interface PortHolder {
  pid: number;
  command: string;
}

/** The process that listens on a local TCP port, as far as this user may see it. */
export function portHolder(port: number): PortHolder | undefined {
  const sockets = listeningSockets(port);
  if (sockets.size === 0) return undefined;
  for (const pid of processIds()) {
    if (listOf(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)))) {
      return { pid, command: textOf(`/proc/${pid}/cmdline`).split('\0').join(' ').trim() };
    }
  }
  return undefined;
}

/** The `socket:[inode]` names of sockets that listen on the port. */
function listeningSockets(port: number): Set<string> {
  const listen = '0A';
  const names = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of textOf(table).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === listen && parseInt(local.split(':')[1] ?? '', 16) === port) names.add(`socket:[${inode}]`);
    }
  }
  return names;
}

const processIds = (): number[] => listOf('/proc').map(Number).filter(Number.isInteger);

// Processes come and go while we look, and those of other users are closed to us: both read as nothing.
function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

/** Refuses a taken port, naming who holds it and how another is chosen. */
export async function requirePort(port: number, server: string, choose: string): Promise<void> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new PortInUse(`${port} is not a port for ${server}`, { hint: `a port is 1 to 65535: ${choose}` });
  }
  if (await isPortFree(port)) return;
  const holder = portHolder(port);
  const by = holder ? `process ${holder.pid} (${holder.command})` : 'another process';
  throw new PortInUse(`port ${port} on 127.0.0.1, wanted for ${server}, is in use by ${by}`, {
    hint: `choose another with ${choose}${holder ? `, or end process ${holder.pid}` : ''}`,
  });
}
