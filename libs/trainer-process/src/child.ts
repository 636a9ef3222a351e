import { type CheckpointSaved, type FromTrainer, recordOf, type ToTrainer } from '@nautil/contracts';
import { type TrainControl, usesGpu } from '@nautil/training';
import { runTask } from './run-task.js';
import type { TrainerResult, TrainerTask } from './trainer-task.js';

// The process that a worker forks. It runs tasks that it receives over IPC; see trainer-protocol.ts in contracts.

/** How long training may take to write its last checkpoint once the worker is gone. */
const graceMs = 120_000;

/** Control of the running task; undefined while the process is idle. */
let control: TrainControl | undefined;

/** Stop requests that arrive before their task does. */
let pending: TrainControl = {};

const send = (message: FromTrainer<TrainerResult>): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected || process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });

setInterval(() => void send({ type: 'heartbeat' }), 1000);

process.on('message', (message: ToTrainer<TrainerTask>) => {
  if (message.type === 'stop') (control ?? pending).stop = message.how;
  else if (message.type === 'run') void perform(message.task);
});

process.on('disconnect', () => {
  if (!control) process.exit(0);
  // The worker is gone, so another attempt may start at any time. Its fence stops this process from writing then.
  control.stop = 'interrupt';
  setTimeout(() => process.exit(1), graceMs).unref();
});

// A SIGINT goes to the whole process group. The worker handles it and sends `stop`.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => {
  if (!control) process.exit(0);
  control.stop = 'interrupt';
});

await send({ type: 'ready' });

async function perform(task: TrainerTask): Promise<void> {
  control = pending;
  pending = {};
  try {
    const result = await runTask(
      task,
      { onProgress: (event) => send({ type: 'progress', event }), onCommitted: commit },
      { control },
    );
    const waits = process.connected && !usesGpu(task.job.config);
    control = undefined;
    await send({ type: 'done', result, waits });
    if (!waits) process.exit(0);
  } catch (error) {
    await send({ type: 'failed', error: recordOf(error) });
    process.exit(1);
  }
}

/** Sends a committed checkpoint and waits for the worker's acknowledgement. */
async function commit(checkpoint: CheckpointSaved): Promise<void> {
  const acknowledged = acknowledgement(checkpoint.step);
  await send({ type: 'committed', checkpoint });
  await acknowledged;
}

/** Resolves when the worker has logged the events of a checkpoint, or is gone: the next attempt then commits them again. */
function acknowledgement(step: number): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) {
      resolve();
      return;
    }
    const onMessage = (message: ToTrainer<TrainerTask>): void => {
      if (message.type === 'ack' && message.step === step) end();
    };
    const end = (): void => {
      process.off('message', onMessage);
      process.off('disconnect', end);
      resolve();
    };
    process.on('message', onMessage);
    process.on('disconnect', end);
  });
}
