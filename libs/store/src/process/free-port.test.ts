import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterAll, expect, test } from '@jest/globals';
import { freePort, isPortFree } from './free-port.js';

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

function listen(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

test('a free port is not free any more once a server listens on it', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  await listen(port);
  expect(await isPortFree(port)).toBe(false);
});

test('a free port is not one that Linux may assign to another process in the meantime', async () => {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  for (const port of ports) expect(port).toBeLessThan(first! > 10_240 ? first! : 32_768);
});
