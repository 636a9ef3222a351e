import { type ErrorKind, NautilError } from './errors.js';
import type { TrainEvent } from './events.js';

/**
 * What a worker and the process that it forks say to one another over IPC. TensorFlow runs in the child alone: a native
 * crash costs one attempt and not the worker.
 *
 * The child says `ready`, is given a task, says `alive` about once a second while its event loop turns, and answers with
 * `done` or `failed`. After `done` it waits for another task when it says so; else it ends, and the device's memory goes
 * back. After a checkpoint it waits to be `heard`: the events of one are kept before the next is written, which holds only
 * its own. When the channel closes its worker is gone: it stops by itself, with a checkpoint when it is at a task.
 */
export type ToTrainer<Task> =
  { type: 'run'; task: Task } | { type: 'stop'; how: 'interrupt' | 'early' } | { type: 'heard'; step: number };

export type FromTrainer<Result> =
  | { type: 'ready' }
  | { type: 'alive' }
  | { type: 'event'; event: TrainEvent }
  | { type: 'done'; result: Result; waits: boolean }
  | { type: 'failed'; error: ErrorRecord };

/** An error that crosses a process boundary. */
export interface ErrorRecord {
  name: string;
  kind: ErrorKind;
  message: string;
  hint?: string | undefined;
  retryable: boolean;
  stack?: string | undefined;
}

/** An expected error as it is; anything else as a failed training that may be tried again. */
export function recordOf(error: unknown): ErrorRecord {
  if (error instanceof NautilError) {
    const { name, kind, message, hint, retryable, stack } = error;
    return { name, kind, message, hint, retryable, stack };
  }
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, kind: 'training', message, retryable: true, stack };
}

/** An error of another process, under its own name. */
export class RemoteError extends NautilError {
  override readonly name: string;
  readonly kind: ErrorKind;
  override readonly retryable: boolean;

  constructor(record: ErrorRecord) {
    super(record.message, { hint: record.hint });
    this.name = record.name;
    this.kind = record.kind;
    this.retryable = record.retryable;
    if (record.stack) this.stack = record.stack;
  }
}
