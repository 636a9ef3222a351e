import net from 'node:net';
import { type CheckpointSaved, type FromTrainer, recordOf } from '@nautil/contracts';
import { type TrainControl, usesGpu } from '@nautil/training';
import { checkToTrainer } from './check-message.js';
import { TrainerMessageInvalid } from './errors.js';
import { runTask } from './run-task.js';
import { isOfGroup, type TrainerResult, type TrainerTask } from './trainer-task.js';

// The process that a worker forks. It runs tasks that it receives over IPC; see trainer-protocol.ts in contracts.

/** How long training may take to write its last checkpoint once the worker is gone. */
const graceMs = 120_000;

/** Control of the running task; undefined while the process is idle. */
let control: TrainControl | undefined;

/** Stop requests that arrive before their task does. */
let pending: TrainControl = {};

/** Sockets that hold the names of the GPUs of the running task. */
const leased: net.Server[] = [];

/** Ends the wait for the acknowledgement of a checkpoint, by its step. */
const unacknowledged = new Map<number, () => void>();

const send = (message: FromTrainer<TrainerResult>): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected || process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });

setInterval(() => void send({ type: 'heartbeat' }), 1000);

// When the worker is gone, nobody reads the output, and training must still write its last checkpoint.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

process.on('message', (message: unknown, handle?: unknown) => void receive(message, handle).catch(fail));

process.on('disconnect', () => {
  if (!control) process.exit(0);
  // The next attempt commits the same checkpoint again.
  for (const resume of unacknowledged.values()) resume();
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

async function receive(received: unknown, handle: unknown): Promise<void> {
  const message = checkToTrainer(received);
  switch (message.type) {
    case 'lease':
      hold(handle);
      break;
    case 'stop':
      (control ?? pending).stop = message.how;
      break;
    case 'ack':
      unacknowledged.get(message.step)?.();
      break;
    case 'run':
      await perform(message.task);
  }
}

/** Holds the name of a GPU while the task runs. */
function hold(socket: unknown): void {
  if (!(socket instanceof net.Server)) throw new TrainerMessageInvalid('the message `lease` came without its socket');
  leased.push(socket.on('connection', (connection) => connection.destroy()).unref());
}

async function perform(task: TrainerTask): Promise<void> {
  control = pending;
  pending = {};
  const result = await runTask(
    task,
    { onProgress: (event) => send({ type: 'progress', event }), onCommitted: commit },
    { control },
  );
  const waits = process.connected && !isOfGroup(task) && !usesGpu(task.job.config);
  control = undefined;
  // A process that exits holds the names until it has, because only then the GPU's memory is free.
  if (waits) for (const socket of leased.splice(0)) socket.close();
  await send({ type: 'done', result, waits });
  if (!waits) process.exit(0);
}

async function fail(error: unknown): Promise<void> {
  await send({ type: 'failed', error: recordOf(error) });
  process.exit(1);
}

/** Sends a committed checkpoint and waits until the worker has logged its events, or is gone. */
async function commit(checkpoint: CheckpointSaved): Promise<void> {
  const { step } = checkpoint;
  const acknowledged = new Promise<void>((resolve) => unacknowledged.set(step, resolve));
  await send({ type: 'committed', checkpoint });
  if (process.connected) await acknowledged;
  unacknowledged.delete(step);
}
