import type { Stage } from '@nautil/contracts';
import { ActivityFailure, ApplicationFailure, TemporalFailure, TimeoutFailure } from '@temporalio/workflow';

/**
 * What a run ends with: the failure of the activity itself, under its own type and details, so that the type shows at the
 * top of `temporal workflow describe` and not three causes down.
 *
 * NOTE: a plain Error thrown by workflow code would repeat the workflow task for ever, so bugs are made failures too.
 */
export function failureOf(error: unknown, stage: Stage | undefined): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const where = stage ? `${stage}: ` : '';
  if (error instanceof ActivityFailure) {
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      const { message, type, details } = cause;
      return ApplicationFailure.create({
        message: where + message,
        ...(type != null && { type }),
        details: details ?? [],
        nonRetryable: true,
        cause,
      });
    }
    if (cause instanceof TimeoutFailure) {
      const message = `${where}no worker finished it: ${error.activityType} ended with ${cause.timeoutType} time-out (${error.retryState ?? 'not retried'})`;
      const details = [
        { kind: 'environment', hint: '`npx nautil status` tells whether a worker runs, and where its log is' },
      ];
      return ApplicationFailure.create({ message, type: 'StageTimedOut', nonRetryable: true, details, cause });
    }
  }
  return ApplicationFailure.fromError(error, { nonRetryable: true });
}

/** The innermost failure that says what it is: type and message of what went wrong in a child workflow or an activity. */
export function causeOf(error: unknown): { type: string; message: string } {
  let at = error;
  while (at instanceof TemporalFailure && !(at instanceof ApplicationFailure) && at.cause) at = at.cause;
  const { message, name } = at instanceof Error ? at : new Error(String(at));
  return { type: (at instanceof ApplicationFailure && at.type) || name, message };
}
