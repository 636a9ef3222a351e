import { createServer, type Server } from 'node:net';
import { afterAll, expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { portHolder, requirePort } from './ports.js';

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

function listen(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

test('the error for a port in use names its process and the option that selects another', async () => {
  const port = await freePort();
  await listen(port);
  expect(portHolder(port)?.pid).toBe(process.pid);
  await expect(requirePort(port, 'a server', '--a-port')).rejects.toMatchObject({
    name: 'PortInUse',
    message: expect.stringContaining(
      `port ${port} on 127.0.0.1, which a server needs, is in use by process ${process.pid}`,
    ),
    hint: expect.stringContaining('--a-port'),
  });
});

test.each([0, -1, 65_536, 1.5, NaN])('%s is not a valid port', async (port) => {
  await expect(requirePort(port, 'a server', '--a-port')).rejects.toThrow(`${port} is not a valid port`);
});
