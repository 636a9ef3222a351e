import { MlflowClient } from '../mlflow-client.js';
import { openTracker } from '../tracker.js';

/**
 * A program for tests: tracks a short run, and dies by kill -9 at the moment when the server has done a request and before
 * this side can note it.
 */
const [journal, trackingUri, experiment, lastRequest] = process.argv.slice(2);
const client = new MlflowClient({
  trackingUri: trackingUri!,
  fetch: async (url, init) => {
    const answer = await fetch(url, init);
    if (`${init?.method ?? 'GET'} ${String(url)}`.includes(lastRequest!)) process.kill(process.pid, 'SIGKILL');
    return answer;
  },
});
const tracker = await openTracker({
  client,
  journal: journal!,
  experiment: experiment!,
  workflowId: 'killed',
  runKey: '1',
  connectTimeoutMs: 0, // the journal has the whole run before the first answer comes
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
