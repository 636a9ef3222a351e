import { createServer } from 'node:net';
import { afterAll } from '@jest/globals';

const servers = new Set<ReturnType<typeof createServer>>();

// Not in occupyPort, because Jest allows no hooks inside tests.
afterAll(() => servers.forEach((server) => server.close()));

/** Listens on a port of 127.0.0.1 until the tests of the file have ended. */
export function occupyPort(port: number): Promise<void> {
  const server = createServer();
  servers.add(server);
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}
