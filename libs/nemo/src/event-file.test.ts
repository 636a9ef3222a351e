import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Confusion } from '@nautil/metrics';
import { EventFile, readEvents } from './event-file.js';
import type { EventMessage } from './event-messages.js';
import { recordTraining } from './record-training.js';

/**
 * Written by TensorBoard 2.21.0's own RecordWriter and message classes: the version, a scalar, a text, and the two records
 * of hyperparameters.
 */
const recorded = [
  'GAAAAAAAAACjf0siCQAAIED8VNlBGg1icmFpbi5FdmVudDoyKzUxECAAAAAAAAAAKe2pUAkAAFBA/FTZQRABKhMKEQoKdHJhaW5f',
  'bG9zcxUYcjE/q3BgvEAAAAAAAAAAKBf0lQkAAIBA/FTZQSo1CjMKE2NvbmZpZy90ZXh0X3N1bW1hcnlCEggHEgQSAggBQggjIHNj',
  'aMO2bkoICgYKBHRleHSlD51XSAAAAAAAAAD+kkidCQAAwED8VNlBKj0KOwoUX2hwYXJhbXNfL2V4cGVyaW1lbnRKIwohCgdocGFy',
  'YW1zEhYSFCIGCgJsciADKgoKCBIGdmFsX2Yxpx17QVYAAAAAAAAATi3isgkAAMBA/FTZQSpLCkkKHF9ocGFyYW1zXy9zZXNzaW9u',
  'X3N0YXJ0X2luZm9KKQonCgdocGFyYW1zEhwaGgoPCgJschIJES1DHOviNho/KQAAwED8VNlBIsJzng==',
].join('');

const folder = mkdtempSync(join(tmpdir(), 'nautil-events-'));
let number = 0;
const nextFolder = (): string => join(folder, String(++number));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function allEvents(path: string): Promise<EventMessage[]> {
  const events: EventMessage[] = [];
  for await (const event of readEvents(path)) events.push(event);
  return events;
}

/** Steps of a tag, in the order of the file. */
const stepsOf = async (path: string, tag: string): Promise<number[]> =>
  (await allEvents(path)).filter(({ summary }) => summary?.value[0]?.tag === tag).map(({ step }) => step ?? 0);

test('writes the bytes that TensorBoard writes', async () => {
  const file = await EventFile.open(nextFolder());
  const versionBytes = statSync(file.path).size;
  file.scalar('train_loss', 0.6931472, { step: 1, timestampMs: 1_700_000_001_250 });
  file.text('config', '# schön', { step: 0, timestampMs: 1_700_000_002_000 });
  file.hyperparameters({ lr: 1e-4 }, ['val_f1'], 1_700_000_003_000);
  await file.close();
  // The first record holds the time of its making, in as many bytes.
  const ours = readFileSync(file.path).subarray(versionBytes);
  const theirs = Buffer.from(recorded, 'base64').subarray(versionBytes);
  expect(ours.toString('base64')).toBe(theirs.toString('base64'));
});

test('reads what TensorBoard wrote', async () => {
  const path = join(folder, 'events.out.tfevents.recorded');
  writeFileSync(path, Buffer.from(recorded, 'base64'));
  const [version, scalar, text] = await allEvents(path);
  expect(version).toEqual({ wall_time: 1700000000.5, file_version: 'brain.Event:2' });
  expect(scalar).toEqual({
    wall_time: 1700000001.25,
    step: 1,
    summary: { value: [{ tag: 'train_loss', simple_value: Math.fround(0.6931472) }] },
  });
  expect(Buffer.from(text!.summary!.value[0]!.tensor!.string_val[0]!).toString()).toBe('# schön');
});

test('a resumed run goes on in the same file, and the steps that it repeats are there once', async () => {
  const run = nextFolder();
  for (const [from, to] of [
    [1, 60],
    [41, 100],
  ] as const) {
    const file = await EventFile.open(run);
    file.hyperparameters({ lr: 1e-4 }, [], 0);
    for (let step = from; step <= to; step++) file.scalar('train_loss', 1 / step, { step, timestampMs: step });
    await file.close();
  }
  const names = readdirSync(run);
  expect(names).toHaveLength(1);
  const path = join(run, names[0]!);
  expect(await stepsOf(path, 'train_loss')).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  expect(await stepsOf(path, '_hparams_/session_start_info')).toEqual([0]);
});

test.each([1, 7, 12, 20])('a record torn off %d bytes before its end is cut away, and written again', async (torn) => {
  const run = nextFolder();
  const first = await EventFile.open(run);
  for (const step of [1, 2, 3]) first.scalar('lr', step, { step, timestampMs: 0 });
  await first.close();
  truncateSync(first.path, statSync(first.path).size - torn);
  const again = await EventFile.open(run);
  for (const step of [2, 3, 4]) again.scalar('lr', step, { step, timestampMs: 0 });
  await again.close();
  expect(await stepsOf(again.path, 'lr')).toEqual([1, 2, 3, 4]);
});

test('a spoiled record ends the reading, and does not begin a wild one', async () => {
  const file = await EventFile.open(nextFolder());
  file.scalar('lr', 1, { step: 1, timestampMs: 0 });
  await file.close();
  appendFileSync(file.path, Buffer.alloc(64, 0xff));
  expect(await stepsOf(file.path, 'lr')).toEqual([1]);
});

test('a step of 2^40 and a value that float32 cannot hold exactly come back as they were kept', async () => {
  const file = await EventFile.open(nextFolder());
  file.scalar('x', 0.1, { step: 2 ** 40, timestampMs: 1 });
  file.scalar('x', NaN, { step: 2 ** 40 + 1, timestampMs: 1 });
  await file.close();
  const [, tenth, nan] = await allEvents(file.path);
  expect(tenth).toMatchObject({ step: 2 ** 40, summary: { value: [{ simple_value: Math.fround(0.1) }] } });
  expect(nan!.summary!.value[0]!.simple_value).toBeNaN();
});

test('training is recorded under NeMo’s tags, scores in percent', () => {
  const seen: Record<string, [value: number, step: number]> = {};
  const file = {
    scalar: (tag: string, value: number, { step }: { step: number }): void => {
      seen[tag] = [value, step];
    },
  };
  const confusion = new Confusion(2);
  confusion.addAll([0, 0, 1, 1], [0, 0, 1, 0]);
  const report = confusion.report();
  recordTraining(file, { type: 'eval', split: 'val', step: 8, epoch: 1, loss: 0.5, report, timestampMs: 0 });
  expect(seen).toEqual({
    val_loss: [0.5, 8],
    val_precision: [report.micro.precision * 100, 8],
    val_recall: [report.micro.recall * 100, 8],
    val_f1: [report.micro.f1 * 100, 8],
    val_f1_macro: [report.macro.f1 * 100, 8],
  });
  expect(seen['val_f1']![0]).toBeCloseTo(75, 3);
});
