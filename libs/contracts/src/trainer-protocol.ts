import { type ErrorKind, NautilError } from './errors.js';
import type { CheckpointSaved, TrainEvent } from './events.js';

/**
 * The IPC messages between a worker and the trainer process that it forks. Only the child loads TensorFlow, so a native crash
 * costs one attempt and not the worker.
 *
 * The child sends `ready`, receives the leases of its GPUs and a task, sends `heartbeat` about once a second while its event loop runs, and ends the task
 * with `done` or `failed`. After `done` it either waits for another task or exits, which releases the GPU's memory. After
 * `committed` it waits for `ack`: a checkpoint's events must be logged before the next checkpoint is written, because that one
 * no longer contains them. When the channel closes, the worker is gone: the child writes a checkpoint and exits.
 *
 * Each `lease` carries the listening socket that holds the name of one GPU. The child keeps it until the task ends, so that the GPU
 * is not leased to another process while the child computes on it, even if the worker has been killed.
 */
export type ToTrainer<Task> =
  | { type: 'lease' }
  | { type: 'run'; task: Task }
  | { type: 'stop'; how: 'interrupt' | 'early' }
  | { type: 'ack'; step: number };

export type FromTrainer<Result> =
  | { type: 'ready' }
  | { type: 'heartbeat' }
  | { type: 'progress'; event: TrainEvent }
  | { type: 'committed'; checkpoint: CheckpointSaved }
  | { type: 'done'; result: Result; waits: boolean }
  | { type: 'failed'; error: ErrorRecord };

/** An error that crosses a process boundary. */
export interface ErrorRecord {
  name: string;
  kind: ErrorKind;
  message: string;
  hint?: string | undefined;
  setting?: string | undefined;
  retryable: boolean;
  stack?: string | undefined;
}

/** The record of an error. An unexpected error becomes a failed training that may be retried. */
export function recordOf(error: unknown): ErrorRecord {
  if (error instanceof NautilError) {
    const { name, kind, message, hint, setting, retryable, stack } = error;
    return { name, kind, message, hint, setting, retryable, stack };
  }
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, kind: 'training', message, retryable: true, stack };
}
/** An error of another process, with its original name. */
export class RemoteError extends NautilError {
  override readonly name: string;
  readonly kind: ErrorKind;
  override readonly retryable: boolean;

  constructor(record: ErrorRecord) {
    super(record.message, { hint: record.hint, setting: record.setting });
    this.name = record.name;
    this.kind = record.kind;
    this.retryable = record.retryable;
    if (record.stack) this.stack = record.stack;
  }
}
