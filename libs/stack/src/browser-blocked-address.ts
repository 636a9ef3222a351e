import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { HttpAddress } from './ui-gate.js';

/**
 * Ports to which no browser sends a request of any kind: the "bad ports" of the Fetch standard that any user may listen on and
 * that browsers have blocked for longest (they are IRC's).
 */
const browserBlockedPorts: readonly number[] = [6665, 6666, 6667, 6668, 6669];

/** A free address of this machine that web pages cannot reach, and of which they cannot know the host either. */
export async function browserBlockedAddress(): Promise<HttpAddress> {
  for (let tries = 0; tries < 100; tries++) {
    const unguessable = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
    for (const host of [unguessable, '127.0.0.1']) {
      const port = browserBlockedPorts[randomInt(browserBlockedPorts.length)] ?? 0;
      if (await canListen({ host, port })) return { host, port };
    }
  }
  throw new Error(`no program can listen on the ports ${browserBlockedPorts.join(', ')} of 127.0.0.0/8`);
}

function canListen({ host, port }: HttpAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false)); // in use, or this machine has only 127.0.0.1
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
