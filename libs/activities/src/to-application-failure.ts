import { NautilError } from '@nautil/contracts';
import { ApplicationFailure } from '@temporalio/activity';

/**
 * An error as Temporal records it: its type is the error's name, and only what says so of itself is tried again. Anything
 * unexpected may be a crash of the machine, and is.
 */
export function failureOf(error: unknown): unknown {
  if (!(error instanceof NautilError)) return error;
  const { name, message, hint, kind, retryable } = error;
  return ApplicationFailure.create({
    message,
    type: name,
    nonRetryable: !retryable,
    details: [{ kind, hint }],
    cause: error,
  });
}

/** The activity with its errors told to Temporal. */
export function reportingFailures<A extends unknown[], R>(
  activity: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    try {
      return await activity(...args);
    } catch (error) {
      throw failureOf(error);
    }
  };
}
