import { MlflowClient } from '../client/mlflow-client.js';
import { openTracker } from '../tracker.js';

/**
 * A program for tests: tracks a short run and kills itself with SIGKILL after the server has processed a certain request
 * and before the position in the journal is written.
 */
const [journal, trackingUri, experiment, lastRequest] = process.argv.slice(2);
const client = new MlflowClient({
  trackingUri: trackingUri!,
  fetch: async (url, init) => {
    const response = await fetch(url, init);
    if (`${init?.method ?? 'GET'} ${url instanceof Request ? url.url : url.toString()}`.includes(lastRequest!))
      process.kill(process.pid, 'SIGKILL');
    return response;
  },
});
const tracker = await openTracker({
  client,
  journal: journal!,
  experiment: experiment!,
  workflowId: 'killed',
  runKey: '1',
  connectTimeoutMs: 0, // so that the journal has the whole run before the first response
});
tracker.params({ lr: 1e-4, epochs: 3 });
const rows = Array.from({ length: 50 }, (_, i) => ({
  key: 'train/loss',
  value: 1 / (i + 1),
  step: i + 1,
  timestampMs: 5000 + i,
}));
tracker.metrics(rows);
tracker.text('report.txt', 'once');
await tracker.finish('FINISHED');
await tracker.close();
