import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { MlflowClient } from './mlflow-client.js';
import { searchRuns } from './search-runs.js';

const timeoutMs = 300;

const dripping: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
};
const refusing =
  (retryAfter: string): RequestListener =>
  (_, response) =>
    response.writeHead(503, { 'retry-after': retryAfter }).end();

async function withClient(listener: RequestListener, use: (client: MlflowClient) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    await use(new MlflowClient({ trackingUri: `http://127.0.0.1:${port}`, timeoutMs }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test.each<[string, RequestListener]>([
  ['sends a byte now and then', dripping],
  ['never answers', () => undefined],
  ['asks for a day', refusing('86400')],
  ['asks for more than numbers can state', refusing('9'.repeat(400))],
  ['asks for a date', refusing('Fri, 31 Dec 9999 23:59:59 GMT')],
])('a request to a server that %s ends after two and a half timeouts', (_, listener) =>
  withFolder({ file: 'content' }, (folder) =>
    withClient(listener, async (client) => {
      const requests = [
        () => searchRuns(client, { experimentIds: ['1'] }),
        () => client.send('PUT', '/api/2.0/mlflow-artifacts/artifacts/x', { file: `${folder}/file` }),
      ];
      for (const request of requests) {
        const begun = performance.now();
        await expect(request()).rejects.toMatchObject({ name: 'MlflowUnavailable' });
        expect(performance.now() - begun).toBeLessThan(2.5 * timeoutMs + 500);
      }
    }),
  ),
);
