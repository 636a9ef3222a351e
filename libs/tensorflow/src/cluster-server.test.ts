import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
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

function start(members: string[], errors: 'inherit' | 'pipe'): void {
  const program = fileURLToPath(new URL('./testing/serve-cluster.ts', import.meta.url));
  server = spawn(process.execPath, ['--import', 'tsx', program, ...members], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', errors],
  });
}

/** What a server that cannot start writes. */
async function failureOfServing(...members: string[]): Promise<string> {
  start(members, 'pipe');
  let errors = '';
  server.stderr?.on('data', (text: string) => (errors += text));
  await once(server, 'close');
  return errors;
}

async function serve(...members: string[]): Promise<void> {
  start(members, 'inherit');
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
  [[], { '127.0.0.1': true, '::1': true, '127.0.0.2': false, '127.1.0.1': false }],
  [['127.0.0.3:1', '127.0.0.4:2'], { '127.0.0.1': true, '127.0.0.2': false, '127.0.0.3': true, '127.0.0.4': true }],
  [['[::1]:1'], { '127.0.0.1': true, '127.0.0.2': false, '::1': true }],
])(
  'the server of a group accepts connections from the addresses of its members and its machine only: %j',
  async (others, expected) => {
    const port = await freePort();
    await serve(`127.0.0.1:${port}`, ...others);
    for (const [source, isAccepted] of Object.entries(expected))
      expect([source, await connects(port, source)]).toEqual([source, isAccepted]);
  },
);

test('a member whose own name stands for 127.0.1.1, as on Debian, accepts its own connections', async () => {
  const port = await freePort();
  await serve(`127.0.1.1:${port}`, '192.0.2.1:1');
  const socket = connect({ host: '127.0.1.1', port });
  await once(socket, 'connect', { signal: AbortSignal.timeout(2000) });
  expect(socket.localAddress).toBe('127.0.0.1');
  socket.destroy();
  expect(await connects(port, '127.0.0.2')).toBe(false);
});

test('a port that another program has is an error with the port and a remedy', async () => {
  const other = createServer().listen(0, '0.0.0.0');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const errors = await failureOfServing(`127.0.0.1:${port}`);
  other.close();
  expect(errors).toContain(
    `TensorFlow's server of member 0 (127.0.0.1:${port}) cannot listen on port ${port}: the port is in use`,
  );
  expect(errors).toContain(`ss -ltnp 'sport = :${port}'`);
});

/** What a client of HTTP/2 sends first. A server answers with its own settings. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

test.each([
  ['another address', '127.0.0.2', false],
  ['a member', '127.0.0.1', true],
])('a connection that %s makes while the server starts is answered: %s, %s', async (_, localAddress, isAnswered) => {
  const port = await freePort();
  const open = new Set<Socket>();
  const started = new AbortController();
  let answers = 0;
  const connecting = (async () => {
    while (!started.signal.aborted) {
      const socket = connect({ host: '127.0.0.1', port, localAddress });
      socket.on('connect', () => open.add(socket));
      socket.on('data', () => (answers += 1));
      socket.on('close', () => open.delete(socket)).on('error', () => undefined);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  await serve(`127.0.0.1:${port}`);
  started.abort();
  await connecting;
  await new Promise((resolve) => setTimeout(resolve, 200));
  answers = 0; // those before belong to the start
  for (const socket of open) socket.write(preface);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(answers > 0).toBe(isAnswered);
  for (const socket of open) socket.destroy();
});
