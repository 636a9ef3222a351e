import { expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { occupyPort } from '@nautil/store/testing/occupy-port';
import { portHolder, requirePort } from './ports.js';

test('the error for a port in use names its process and the option that selects another', async () => {
  const port = await freePort();
  await occupyPort(port);
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
