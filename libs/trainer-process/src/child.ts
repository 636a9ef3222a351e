import { recordOf, type FromTrainer, type ToTrainer, type TrainEvent } from '@nautil/contracts';
import type { TrainerResult, TrainerTask } from './trainer-task.js';
import { usesGpu, type TrainControl } from '@nautil/training';
import { runTask } from './run-task.js';

// The process that a worker forks: tasks, one after another, told over IPC (see contracts' trainer-protocol).

/** Of the task that is being done; undefined while the process waits for one. */
let control: TrainControl | undefined;

const say = (message: FromTrainer<TrainerResult>): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected || process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });

setInterval(() => void say({ type: 'alive' }), 1000);

/** Resolves when the worker has kept what the checkpoint of a step holds, or is gone: the next attempt then says it again. */
const isHeard = (step: number): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected) return resolve();
    const onMessage = (message: ToTrainer<TrainerTask>): void => {
      if (message.type === 'heard' && message.step === step) end();
    };
    const end = (): void => {
      process.off('message', onMessage);
      process.off('disconnect', end);
      resolve();
    };
    process.on('message', onMessage);
    process.on('disconnect', end);
  });

async function tellWorker(event: TrainEvent): Promise<void> {
  const heard = event.type === 'checkpoint' ? isHeard(event.step) : undefined;
  await say({ type: 'event', event });
  await heard;
}

/** How long a step and a checkpoint may take after the worker is gone, before the process is ended all the same. */
const graceMs = 120_000;

process.on('disconnect', () => {
  if (!control) process.exit(0);
  // The worker is gone: another attempt may begin any moment, and the fence keeps this one from writing once it does.
  control.stop = 'interrupt';
  setTimeout(() => process.exit(1), graceMs).unref();
});
// The worker decides what a signal to the group means; it says `stop`.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => {
  if (!control) process.exit(0);
  control.stop = 'interrupt';
});

/** What was asked before the task was here. */
let asked: TrainControl = {};

process.on('message', (message: ToTrainer<TrainerTask>) => {
  if (message.type === 'stop') (control ?? asked).stop = message.how;
  else if (message.type === 'run') void perform(message.task);
});

async function perform(task: TrainerTask): Promise<void> {
  control = asked;
  asked = {};
  try {
    const result = await runTask(task, tellWorker, { control });
    const waits = process.connected && !usesGpu(task.job.config);
    control = undefined;
    await say({ type: 'done', result, waits });
    if (!waits) process.exit(0);
  } catch (error) {
    await say({ type: 'failed', error: recordOf(error) });
    process.exit(1);
  }
}

await say({ type: 'ready' });
