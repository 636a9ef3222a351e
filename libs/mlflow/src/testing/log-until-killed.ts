import { openTracker } from '../tracker.js';

/** A program for tests: logs a step every few milliseconds and prints its number, until it is killed. */
const [journal, trackingUri] = process.argv.slice(2);
const tracker = await openTracker({
  trackingUri: trackingUri!,
  journal: journal!,
  experiment: 'killed',
  workflowId: 'killed',
  runKey: '1',
});
for (let step = 1; ; step++) {
  tracker.metrics([{ key: 'train/loss', value: 1 / step, step, timestampMs: Date.now() }]);
  process.stdout.write(`${step}\n`);
  await new Promise((resolve) => setTimeout(resolve, 3));
}
