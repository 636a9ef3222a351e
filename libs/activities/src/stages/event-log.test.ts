import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import type { LoggedEvent, TrainStepped } from '@nautil/contracts';
import { InvalidJson, parseLoggedEvents } from '@nautil/contracts/schemas';
import { recordSyncs } from '@nautil/store/testing/record-syncs';
import { EventLog } from './event-log.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-events-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let file: string;
let number = 0;
beforeEach(() => {
  file = join(folder, `${++number}.jsonl`);
});

const step = (n: number): TrainStepped => ({
  type: 'step',
  step: n,
  epoch: 0,
  loss: 1 / n,
  lr: 1e-4,
  examplesPerSecond: 80,
  tokensPerSecond: 900,
  secondsLeft: 5,
  timestampMs: 1000 + n,
});
const scores = { precision: 1, recall: 1, f1: 1 };
const report = {
  classes: [{ labelId: 0, support: 1, ...scores }],
  micro: scores,
  macro: scores,
  weighted: scores,
  accuracy: 1,
  support: 1,
  confusion: [[1]],
};
const evaluated = (n: number): LoggedEvent => ({
  type: 'eval',
  split: 'val',
  step: n,
  epoch: 0,
  loss: 0.5,
  report,
  timestampMs: 1000 + n,
});

const logged = (): LoggedEvent[] => parseLoggedEvents(readFileSync(file, 'utf8'), file);

test('events are logged in order; a step and an evaluation at the same step are two events', async () => {
  const log = await EventLog.open(file);
  await log.append([step(1), step(2), evaluated(2)]);
  await log.append([]);
  await log.append([step(3)]);
  expect(logged()).toEqual([step(1), step(2), evaluated(2), step(3)]);
});

test('a checkpoint whose events are repeated, as after a resume, is logged once with its first times', async () => {
  await (await EventLog.open(file)).append([step(1), evaluated(1)]);
  const resumed = await EventLog.open(file);
  const repeated = [step(1), evaluated(1), step(2)].map((event) => ({ ...event, timestampMs: 9000 }));
  await resumed.append(repeated);
  await resumed.append(repeated);
  expect(logged()).toEqual([step(1), evaluated(1), { ...step(2), timestampMs: 9000 }]);
});

test.each([
  ['in the middle of its text', 20],
  ['before its line break', 1],
  ['in the middle of a character', 0],
])('a last line that a crash cut %s is dropped, and its event is logged when it is repeated', async (_, missing) => {
  await (await EventLog.open(file)).append([step(1)]);
  const line = Buffer.from(`${JSON.stringify({ ...step(2), note: 'é' })}\n`);
  const cut = missing > 0 ? line.length - missing : line.indexOf(Buffer.from('é')) + 1;
  await appendFile(file, line.subarray(0, cut));

  const log = await EventLog.open(file);
  expect(logged()).toEqual([step(1)]);
  await log.append([step(1), step(2)]);
  expect(logged()).toEqual([step(1), step(2)]);
});

test.each([
  ['the end', `${JSON.stringify(step(2))}\n`, '\0'.repeat(100)],
  ['the beginning', '\0'.repeat(100), `\n${JSON.stringify(step(3))}\n`],
  ['the middle', '{"type":"st', `${'\0'.repeat(100)}5}\n${JSON.stringify(step(3))}\n`],
])('an append of which a power cut left zeros at %s is logged when it is repeated', async (_, before, after) => {
  await (await EventLog.open(file)).append([step(1)]);
  await appendFile(file, before + after);
  const log = await EventLog.open(file);
  await log.append([step(2), step(3)]);
  expect(logged()).toEqual([step(1), step(2), step(3)]);
});

test('a log is synced, and so is the folder of a new one', async () => {
  const training = join(folder, 'training');
  const path = join(training, 'events.jsonl');
  const synced = await recordSyncs(async () => (await EventLog.open(path)).append([step(1)]));
  expect(synced.slice(0, 1)).toEqual([folder]);
  expect(synced.slice(-2)).toEqual([training, path]);
});

test.each([
  ['is not JSON', '{"type":"step","step":2,', 'is not JSON'],
  ['lacks a field', '{"type":"step","step":2}', "is invalid: value must have required property 'epoch'"],
  ['has an unknown type', '{"type":"stop"}', 'is invalid: value/type is unknown: "stop"'],
])('a complete line that %s is reported by file and line, and the file stays as it is', async (_, line, problem) => {
  const damaged = `${JSON.stringify(step(1))}\n${line}\n${JSON.stringify(step(3))}\n`;
  await writeFile(file, damaged);
  const opened = EventLog.open(file);
  await expect(opened).rejects.toBeInstanceOf(InvalidJson);
  await expect(opened).rejects.toThrow(`${file}:2 ${problem}`);
  expect(await readFile(file, 'utf8')).toBe(damaged);
});

test('a file that cannot be read is not taken for an empty one', async () => {
  await mkdir(file);
  await expect(EventLog.open(file)).rejects.toThrow('EISDIR');
});

test('appends that are started at once are logged whole, and repeated events among them once', async () => {
  const log = await EventLog.open(file);
  await Promise.all([1, 2, 3, 4].map((n) => log.append([step(n), step(n + 1)])));
  const steps = logged().map((event) => event.step);
  expect(steps.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
});
