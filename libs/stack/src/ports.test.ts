import { afterAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { freePort, isPortFree, portHolder, requirePort } from './ports.js';

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

function listen(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

test('a free port can be listened on, and then is free no more', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  expect(portHolder(port)).toBeUndefined();
  await listen(port);
  expect(await isPortFree(port)).toBe(false);
});

test('a free port is none that Linux may give to somebody else in the meantime', async () => {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  for (const port of ports) expect(port).toBeLessThan(first! > 10_240 ? first! : 32_768);
});

test('a port in use is refused, with who holds it and how to choose another', async () => {
  const port = await freePort();
  await listen(port);
  expect(portHolder(port)?.pid).toBe(process.pid);
  await expect(requirePort(port, 'a server', '--a-port')).rejects.toMatchObject({
    name: 'PortInUse',
    message: expect.stringContaining(
      `port ${port} on 127.0.0.1, wanted for a server, is in use by process ${process.pid}`,
    ),
    hint: expect.stringContaining('--a-port'),
  });
});

test.each([0, -1, 65_536, 1.5, NaN])('%s is no port', async (port) => {
  await expect(requirePort(port, 'a server', '--a-port')).rejects.toThrow(`${port} is not a port`);
});
