import { ApplicationFailure } from '@temporalio/activity';
import { type FailureDetails, messageWithHint, NautilError, printable } from '@nautil/contracts';
import { asExpectedError } from './as-expected-error.js';

/**
 * An expected error as Temporal records it: the type is the name of the error, the message contains the hint, and it is
 * retried only when the error is marked as retryable. A file that the user named and that can't be opened is an expected
 * error. An unexpected error may be caused by a failing machine; it is left as it is, which means that it is retried.
 */
export function toApplicationFailure(thrown: unknown): unknown {
  const error = asExpectedError(thrown);
  if (!(error instanceof NautilError)) return error;
  const { name, hint, setting, kind, retryable } = error;
  const details: FailureDetails = {
    kind,
    hint: hint && printable(hint),
    ...(setting === undefined ? {} : { setting: printable(setting) }),
  };
  const failure = ApplicationFailure.create({
    message: printable(messageWithHint(error)),
    type: name,
    nonRetryable: !retryable,
    details: [details],
  });
  // Temporal's UI would show it, and it says nothing about an expected error.
  failure.stack = '';
  return failure;
}
