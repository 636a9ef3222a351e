import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainStepped } from '@nautil/contracts';
import { parseLoggedEvents } from '@nautil/contracts/schemas';
import { EventLog } from '../stages/event-log.js';

const steps = Array.from({ length: 60 }, (_, i) => i + 1);
const stepsPerCheckpoint = 20;

const event = (step: number): TrainStepped => ({
  type: 'step',
  step,
  epoch: 0,
  loss: 1 / step,
  lr: 1e-4,
  examplesPerSecond: 80,
  tokensPerSecond: 900,
  secondsLeft: 5,
  timestampMs: 1000 + step,
});

const fileIn = (folder: string): string => join(folder, 'runs', 'drill', 'training', 'events.jsonl');

/** Logs the events of three checkpoints, and marks each commit. */
export async function writeEventLog(folder: string, mark: (text: string) => void): Promise<void> {
  const log = await EventLog.open(fileIn(folder));
  for (let step = stepsPerCheckpoint; step <= steps.length; step += stepsPerCheckpoint) {
    await log.append(steps.slice(step - stepsPerCheckpoint, step).map(event));
    mark(`committed ${step}`);
  }
}

/** Resumes from the last checkpoint, whose events are logged again. In the end, the log must have each event once. */
export async function checkEventLog(folder: string, marks: readonly string[]): Promise<string> {
  const committed = marks.length * stepsPerCheckpoint;
  const log = await EventLog.open(fileIn(folder));
  const before = parseLoggedEvents(await readFile(fileIn(folder), 'utf8'), 'the log').length;
  await log.append(steps.slice(committed).map(event));
  const found = parseLoggedEvents(await readFile(fileIn(folder), 'utf8'), 'the log').map(({ step }) => step);
  if (JSON.stringify(found) !== JSON.stringify(steps)) throw new Error(`the log has the steps ${found.join(' ')}`);
  return before === committed ? 'as committed' : 'with a part of the next commit';
}
