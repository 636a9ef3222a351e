import { join } from 'node:path';
import type { Metric } from '../client/metric.js';
import { openTracker, type Tracker } from '../tracker.js';
import { FakeMlflow, type Received } from './fake-mlflow.js';

const steps = [1, 2, 3, 4, 5, 6, 7, 8];
const stepsPerCheckpoint = 2;

/** Many metrics, so that the rows of one checkpoint fill several pages of the disk. */
const rowsOf = (step: number): Metric[] =>
  Array.from({ length: 40 }, (_, i) => ({ key: `train/loss_${i}`, value: i / step, step, timestampMs: 1000 * step }));

const open = (folder: string, trackingUri: string, warnings: string[]): Promise<Tracker> =>
  openTracker({
    trackingUri,
    experiment: 'drill',
    workflowId: 'drill',
    runKey: '1',
    journal: join(folder, 'runs', 'drill', 'mlflow.jsonl'),
    warn: (message) => warnings.push(message),
  });

/** Tracks a training, whose events are committed after each checkpoint. Marks what the server has received, and commits. */
export async function writeJournal(folder: string, mark: (text: string) => void): Promise<void> {
  const server = await FakeMlflow.start({ runKey: undefined, rows: [] }, (received) => {
    mark(`received ${JSON.stringify({ ...received, rows: received.rows.length })}`);
  });
  const tracker = await open(folder, server.trackingUri, []);
  for (const step of steps) {
    tracker.metrics(rowsOf(step));
    if (step % stepsPerCheckpoint > 0) continue;
    await tracker.sync();
    mark(`committed ${step}`);
    if (step % 4 === 0) await tracker.flush();
  }
  await tracker.finish('FINISHED');
  await tracker.close();
  server.close();
}

/**
 * Resumes the training from its last checkpoint, whose events are logged again when they were not committed. The server has
 * what it had received at the power cut. In the end it must have each row once.
 */
export async function checkJournal(folder: string, marks: readonly string[]): Promise<string> {
  const last = marks.findLast((text) => text.startsWith('received '));
  const found =
    last === undefined ? undefined : (JSON.parse(last.slice('received '.length)) as { runKey?: string; rows: number });
  const all = steps.flatMap(rowsOf).map(({ timestampMs, ...row }) => ({ ...row, timestamp: timestampMs }));
  const received: Received = { runKey: found?.runKey, rows: all.slice(0, found?.rows ?? 0) };
  const committed = Number(/\d+$/.exec(marks.findLast((text) => text.startsWith('committed ')) ?? '0')?.[0]);

  const before = received.rows.length;
  const warnings: string[] = [];
  const server = await FakeMlflow.start(received);
  const tracker = await open(folder, server.trackingUri, warnings);
  for (const step of steps) if (step > committed) tracker.metrics(rowsOf(step));
  const arrived = await tracker.finish('FINISHED');
  await tracker.close();
  server.close();
  if (!arrived) throw new Error(`not everything was sent: ${warnings.join('; ')}`);
  const missing = all.filter((row) => !received.rows.some((own) => own.key === row.key && own.step === row.step));
  if (missing.length > 0)
    throw new Error(
      `lost: ${missing
        .map(({ key, step }) => `${key} at ${step}`)
        .join(', ')
        .slice(0, 200)}`,
    );
  if (received.rows.length !== all.length) throw new Error(`${received.rows.length} rows instead of ${all.length}`);
  const torn = warnings.length > 0 ? 'with torn lines' : 'whole';
  return `${torn}, ${before === all.length ? 'all' : before > 0 ? 'some' : 'no'} rows received before`;
}
