/** What went wrong, as a caller sees it; decides the exit code of every program. */
export type ErrorKind = 'usage' | 'config' | 'data' | 'environment' | 'training' | 'interrupted';

/** Exit codes: 0 done, 2 usage or config, 3 data, 4 environment, 5 training failed, 130 interrupted. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  usage: 2,
  config: 2,
  data: 3,
  environment: 4,
  training: 5,
  interrupted: 130,
};

export interface NautilErrorOptions {
  /** What the reader can do about it: one or more lines, without a final newline. */
  hint?: string | undefined;

  /** The error that caused this one; shown with DEBUG=1. */
  cause?: unknown;
}

/**
 * The base of every expected error. A subclass is one thing that a caller can act on; its `name` is the type that
 * Temporal records. The message says what happened and where, `hint` what to do.
 *
 * @example
 * class VocabularyMissing extends NautilError {
 *   override readonly name = 'VocabularyMissing';
 *   readonly kind = 'data';
 * }
 */
export abstract class NautilError extends Error {
  abstract readonly kind: ErrorKind;

  /** True when the same call may succeed later with nothing changed by the user (a server that is down, a full disk). */
  readonly retryable: boolean = false;

  readonly hint: string | undefined;

  constructor(message: string, options: NautilErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

/** The exit code for any thrown value: that of its kind, 1 for what nobody expected. */
export function exitCodeOf(error: unknown): number {
  return error instanceof NautilError ? exitCodes[error.kind] : 1;
}

/**
 * An error as people read it: message, then the indented hint. The stack is printed for unexpected errors only,
 * or with `debug`, together with the chain of causes.
 */
export function formatError(error: unknown, debug = false): string {
  if (!(error instanceof Error)) return String(error);
  const lines = [error.message];
  if (error instanceof NautilError && error.hint) lines.push(...error.hint.split('\n').map((line) => `  ${line}`));
  const expected = error instanceof NautilError;
  if (debug || !expected) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? String(at));
  }
  return lines.join('\n');
}
