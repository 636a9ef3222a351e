import { ApplicationFailure } from '@temporalio/activity';
import { type FailureDetails, NautilError } from '@nautil/contracts';

/**
 * An expected error as Temporal records it: the type is the name of the error, and it is retried only when the error is marked
 * as retryable. An unexpected error may be caused by a failing machine; it is left as it is, which means that it is retried.
 */
export function toApplicationFailure(error: unknown): unknown {
  if (!(error instanceof NautilError)) return error;
  const { name, message, hint, kind, retryable } = error;
  const details: FailureDetails = { kind, hint };
  return ApplicationFailure.create({ message, type: name, nonRetryable: !retryable, details: [details], cause: error });
}
