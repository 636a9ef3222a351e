import { createServer } from 'node:net';
import { join } from 'node:path';
import { makeStateFolder, nautil, timeCommand } from './command.js';

/** Runs `work` with Temporal, MLflow and a worker of its own, on free ports, and stops them afterwards. */
export async function withServers<T>(folder: string, work: (env: Record<string, string>) => Promise<T>): Promise<T> {
  const env = {
    NAUTIL_HOME: await makeStateFolder(join(folder, 'state')),
    NAUTIL_OUTPUTS: folder,
    NAUTIL_TEMPORAL_PORT: await freePort(),
    NAUTIL_TEMPORAL_UI_PORT: await freePort(),
    NAUTIL_MLFLOW_PORT: await freePort(),
  };
  try {
    await timeCommand(nautil('up'), { env });
    return await work(env);
  } finally {
    await timeCommand(nautil('down'), { env });
  }
}

async function freePort(): Promise<string> {
  const server = createServer();
  const port = await new Promise<number>((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
