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
import { afterAll, expect, test } from '@jest/globals';
import { Confusion } from '@nautil/metrics';
import { EventFile, readEvents } from './event-file.js';
import type { EventMessage } from './event-messages.js';
import { recordTraining } from './record-training.js';

/** Written by TensorBoard 2.21.0's own RecordWriter and message classes: the version and a scalar. */
const recorded = [
  'GAAAAAAAAACjf0siCQAAIED8VNlBGg1icmFpbi5FdmVudDoyKzUxECAAAAAAAAAAKe2pUAkAAFBA/FTZQRABKhMKEQoKdHJhaW5fbG9z',
  'cxUYcjE/q3BgvA==',
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

/** The steps of a tag, in file order. */
const stepsOf = async (path: string, tag: string): Promise<number[]> =>
  (await allEvents(path)).filter(({ summary }) => summary?.value[0]?.tag === tag).map(({ step }) => step ?? 0);

test('writes the bytes that TensorBoard writes', async () => {
  const file = await EventFile.open(nextFolder());
  const versionBytes = statSync(file.path).size;
  file.scalar('train_loss', 0.6931472, { step: 1, timestampMs: 1_700_000_001_250 });
  await file.close();
  // The first record holds the creation time, which differs but has the same size.
  const ours = readFileSync(file.path).subarray(versionBytes);
  const theirs = Buffer.from(recorded, 'base64').subarray(versionBytes);
  expect(ours.toString('base64')).toBe(theirs.toString('base64'));
});

test('reads what TensorBoard wrote', async () => {
  const path = join(folder, 'events.out.tfevents.recorded');
  writeFileSync(path, Buffer.from(recorded, 'base64'));
  const [version, scalar] = await allEvents(path);
  expect(version).toEqual({ wall_time: 1700000000.5, file_version: 'brain.Event:2' });
  expect(scalar).toEqual({
    wall_time: 1700000001.25,
    step: 1,
    summary: { value: [{ tag: 'train_loss', simple_value: Math.fround(0.6931472) }] },
  });
});

test('a resumed run appends to the same file, and repeated steps appear once', async () => {
  const run = nextFolder();
  for (const [from, to] of [
    [1, 60],
    [41, 100],
  ] as const) {
    const file = await EventFile.open(run);
    for (let step = from; step <= to; step++) file.scalar('train_loss', 1 / step, { step, timestampMs: step });
    await file.close();
  }
  const names = readdirSync(run);
  expect(names).toHaveLength(1);
  const path = join(run, names[0]!);
  expect(await stepsOf(path, 'train_loss')).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test.each([1, 7, 12, 20])('a record that misses its last %d bytes is truncated and written again', async (missing) => {
  const run = nextFolder();
  const first = await EventFile.open(run);
  for (const step of [1, 2, 3]) first.scalar('lr', step, { step, timestampMs: 0 });
  await first.close();
  truncateSync(first.path, statSync(first.path).size - missing);
  const again = await EventFile.open(run);
  for (const step of [2, 3, 4]) again.scalar('lr', step, { step, timestampMs: 0 });
  await again.close();
  expect(await stepsOf(again.path, 'lr')).toEqual([1, 2, 3, 4]);
});

test('reading stops at a corrupt record', async () => {
  const file = await EventFile.open(nextFolder());
  file.scalar('lr', 1, { step: 1, timestampMs: 0 });
  await file.close();
  appendFileSync(file.path, Buffer.alloc(64, 0xff));
  expect(await stepsOf(file.path, 'lr')).toEqual([1]);
});

test('large steps, rounded values and NaN survive writing and reading', async () => {
  const file = await EventFile.open(nextFolder());
  file.scalar('x', 0.1, { step: 2 ** 40, timestampMs: 1 });
  file.scalar('x', NaN, { step: 2 ** 40 + 1, timestampMs: 1 });
  await file.close();
  const [, tenth, nan] = await allEvents(file.path);
  expect(tenth).toMatchObject({ step: 2 ** 40, summary: { value: [{ simple_value: Math.fround(0.1) }] } });
  expect(nan!.summary!.value[0]!.simple_value).toBeNaN();
});

test('training is recorded under NeMo’s tags, with scores in percent', () => {
  const seen: Record<string, [value: number, step: number]> = {};
  const file = {
    scalar: (tag: string, value: number, { step }: { step: number }): void => {
      seen[tag] = [value, step];
    },
  };
  const confusion = new Confusion(2);
  for (const [label, predicted] of [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 0],
  ] as const)
    confusion.add(label, predicted);
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
