import { createHash } from 'node:crypto';
import net from 'node:net';
import { Interrupted } from './setup-error.mjs';

/**
 * Runs `work` while no other process holds the lock of the same folder; waits for one that does. The lock is a Linux abstract
 * socket: the kernel releases it when its holder ends, however that happens, and closes the connections of the waiting processes.
 */
export async function withSetupLock(folder, { signal, log }, work) {
  const address = `\0nautil-setup-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`;
  let logged = false;
  for (;;) {
    const lock = await listen(address);
    if (lock) {
      try {
        return await work();
      } finally {
        lock.close();
      }
    }
    if (!logged) log(`another set-up of ${folder} is running: waiting for it`);
    logged = true;
    await waitUntilClosed(address, signal);
    if (signal.aborted) throw new Interrupted();
  }
}

function listen(address) {
  return new Promise((resolve, reject) => {
    const waiting = new Set();
    const server = net.createServer((socket) => waiting.add(socket.unref().on('error', () => {})));
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(address, () =>
      resolve({
        close: () => {
          server.close();
          for (const socket of waiting) socket.destroy();
        },
      }),
    );
    server.unref();
  });
}

function waitUntilClosed(address, signal) {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    const end = () => socket.destroy();
    signal.addEventListener('abort', end, { once: true });
    socket.on('error', () => {});
    socket.on('close', () => {
      signal.removeEventListener('abort', end);
      setTimeout(resolve, 50);
    });
    socket.resume();
  });
}
