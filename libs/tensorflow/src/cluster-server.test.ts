import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';

let server: ChildProcess;
afterEach(() => {
  server.kill('SIGKILL');
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function serve(...members: string[]): Promise<void> {
  const program = fileURLToPath(new URL('./testing/serve-cluster.ts', import.meta.url));
  server = spawn(process.execPath, ['--import', 'tsx', program, ...members], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(server, 'exit').then(([code]) => {
    throw new Error(`the server ended with code ${String(code)}`);
  });
  exited.catch(() => undefined);
  await Promise.race([once(server.stdout!, 'data'), exited]);
}

/** Whether a connection to the server from a source address is accepted. The kernel drops packets silently. */
function connects(port: number, localAddress: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: localAddress.includes(':') ? '::1' : '127.0.0.1', port, localAddress });
    const end = (isAccepted: boolean): void => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.setTimeout(700, () => {
      end(false);
    });
    socket.on('connect', () => {
      end(true);
    });
    socket.on('error', () => {
      end(false);
    });
  });
}

test.each<[string[], Record<string, boolean>]>([
  [[], { '127.0.0.1': true, '127.0.0.2': false, '127.1.0.1': false, '::1': false }],
  [['127.0.0.3:1', '127.0.0.4:2'], { '127.0.0.1': true, '127.0.0.2': false, '127.0.0.3': true, '127.0.0.4': true }],
  [['[::1]:1'], { '127.0.0.1': true, '127.0.0.2': false, '::1': true }],
])('the server of a group accepts connections from the addresses of its members only: %j', async (others, expected) => {
  const port = await freePort();
  await serve(`127.0.0.1:${port}`, ...others);
  for (const [source, isAccepted] of Object.entries(expected))
    expect([source, await connects(port, source)]).toEqual([source, isAccepted]);
});
