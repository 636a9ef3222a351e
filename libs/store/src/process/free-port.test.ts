import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { occupyPort } from '../testing/occupy-port.js';
import { freePort, isPortFree } from './free-port.js';

test('a free port is not free any more once a server listens on it', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  await occupyPort(port);
  expect(await isPortFree(port)).toBe(false);
});

test('a free port is not one that Linux may assign to another process in the meantime', async () => {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  for (const port of ports) expect(port).toBeLessThan(first! > 10_240 ? first! : 32_768);
});
