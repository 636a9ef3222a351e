import type { ApplicationFailureOptions } from '@temporalio/common';
import { ActivityFailure, ApplicationFailure, TemporalFailure, TimeoutFailure } from '@temporalio/workflow';
import { type FailureDetails, isFailureDetails, messageWithHint, printable, type Stage } from '@nautil/contracts';

/**
 * The failure that a workflow ends with: that of its activity, with the same type and details, so that `temporal workflow
 * describe` shows the type at the top and not three causes down.
 *
 * NOTE: Temporal retries a workflow task that throws a plain Error forever, so unexpected errors are converted, too.
 */
export function toWorkflowFailure(error: unknown, stage: Stage | undefined): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const prefix = stage ? `${stage}: ` : '';
  if (error instanceof ActivityFailure) {
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      const { message, type, details } = cause;
      return expectedFailure({
        message: prefix + message,
        ...(type != null && { type }),
        details: details ?? [],
        // An unexpected error keeps its stack, which the report of a defect needs.
        ...(isFailureDetails(details?.[0]) ? {} : { cause }),
      });
    }
    if (cause instanceof TimeoutFailure) {
      const details: FailureDetails = {
        kind: 'environment',
        hint: '`npx nautil status` shows whether a worker is running, and where its log is',
      };
      const message = `${prefix}no worker completed it: the ${cause.timeoutType} time-out of ${error.activityType} expired (${error.retryState ?? 'not retried'})`;
      return expectedFailure({
        message: messageWithHint({ message, hint: details.hint }),
        type: 'StageTimedOut',
        details: [details],
      });
    }
  }
  return ApplicationFailure.fromError(error, { nonRetryable: true });
}

/**
 * A failure that isn't retried, with a printable message, as other programs show it. It is without the workflow's own stack, which
 * Temporal's UI would show and which says nothing about what the user or an activity did.
 */
export function expectedFailure({
  message,
  ...options
}: ApplicationFailureOptions & { message: string }): ApplicationFailure {
  const failure = ApplicationFailure.create({ ...options, message: printable(message), nonRetryable: true });
  failure.stack = '';
  return failure;
}

/** Type and message of the failure at the root of a child workflow's or an activity's failure. */
export function rootFailure(error: unknown): { type: string; message: string } {
  let failure = error;
  while (failure instanceof TemporalFailure && !(failure instanceof ApplicationFailure) && failure.cause)
    failure = failure.cause;
  const { message, name } = failure instanceof Error ? failure : new Error(String(failure));
  return { type: (failure instanceof ApplicationFailure ? failure.type : undefined) ?? name, message };
}
