import { Context } from '@temporalio/activity';
import { NautilError } from '@nautil/contracts';
import { WorkerShutdown } from './errors.js';
import type { StageControl } from './stages/stage-control.js';

const heartbeatIntervalMs = 2000;

/**
 * Runs `work` and sends heartbeats meanwhile, so that the server detects a dead worker. Heartbeats carry the latest detail that
 * `work` reported. A cancellation rejects at once; outputs of the abandoned work become visible only when they are complete.
 */
export async function withHeartbeat<T>(work: (control: Required<StageControl>) => Promise<T>): Promise<T> {
  const context = Context.current();
  let detail: string | undefined;
  const timer = setInterval(() => {
    context.heartbeat(detail);
  }, heartbeatIntervalMs);
  const control = {
    signal: context.cancellationSignal,
    onProgress: (text: string) => {
      detail = text;
    },
  };
  try {
    return await Promise.race([work(control), cancellation(context)]);
  } catch (error) {
    if (!isShutdown(context) || error instanceof NautilError) throw error;
    throw new WorkerShutdown('the worker is shutting down; the stage is retried on another worker');
  } finally {
    clearInterval(timer);
  }
}

/** Rejects when the workflow cancels the activity, but not when the worker shuts down, which lets its activities finish. */
async function cancellation(context: Context): Promise<never> {
  try {
    return await context.cancelled;
  } catch (error) {
    if (!isShutdown(context)) throw error;
    return new Promise<never>(() => undefined);
  }
}

/** True when the activity was cancelled because its worker is shutting down. */
export const isShutdown = ({ cancellationDetails }: Context): boolean => cancellationDetails?.workerShutdown ?? false;
