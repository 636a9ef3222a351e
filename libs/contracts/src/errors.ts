import { maskSecrets } from './mask-secrets.js';

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

/** What a failure in a workflow's history carries besides its type and message: the first of its `details`. */
export interface FailureDetails {
  kind: ErrorKind;
  hint?: string | undefined;

  /** As `NautilErrorOptions.setting`; absent in histories of versions before 0.2.0. */
  setting?: string | undefined;
}

/** Whether a value from a workflow's history is what Nautil records there. Failures that other code raised carry other details. */
export function isFailureDetails(value: unknown): value is FailureDetails {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  const hint = 'hint' in value ? value.hint : undefined;
  const setting = 'setting' in value ? value.setting : undefined;
  return (
    typeof value.kind === 'string' &&
    Object.hasOwn(exitCodes, value.kind) &&
    (hint === undefined || typeof hint === 'string') &&
    (setting === undefined || typeof setting === 'string')
  );
}

export interface NautilErrorOptions {
  /** What the reader can do about it: one or more lines, without a final newline. */
  hint?: string | undefined;

  /** The override that the hint proposes, such as `model.optim.lr=1e-5`, for a command that resumes the run with it. */
  setting?: string | undefined;

  /** The error that caused this one; shown with DEBUG=1. */
  cause?: unknown;

  /** Replaces the default of the class, for a failure that only sometimes passes by itself. */
  retryable?: boolean | undefined;
}

/** Temporal's history takes no message of megabytes, such as that of a server. */
const longestMessage = 50_000;

/** Masked before it is shortened: half an address would not be recognised. */
function limited(text: string): string {
  const masked = maskSecrets(text);
  return masked.length > longestMessage ? `${masked.slice(0, longestMessage)}… (shortened)` : masked;
}

/**
 * The base of every expected error. Each subclass is one failure that a caller can act on; declare it with `defineError`.
 * Its `name` is the failure type that Temporal records. The message states what happened and where, `hint` what to do.
 * Both are masked and have a limited length: errors are printed, logged and stored in Temporal's history.
 */
export abstract class NautilError extends Error {
  abstract readonly kind: ErrorKind;

  /** True when the same call may succeed later although the user changes nothing (a server that is down, a full disk). */
  readonly retryable: boolean;

  readonly hint: string | undefined;

  readonly setting: string | undefined;

  constructor(message: string, { hint, setting, cause, retryable = false }: NautilErrorOptions = {}) {
    super(limited(message), cause === undefined ? undefined : { cause });
    this.hint = hint && limited(hint);
    this.setting = setting;
    this.retryable = retryable;
  }
}

/**
 * The base class for one kind of expected failure.
 *
 * @param name the name of the class, which becomes the failure type in Temporal's history
 * @param kind decides the exit code
 *
 * @example
 * export class TrainerCrashed extends defineError('TrainerCrashed', 'training', { retryable: true }) {}
 */
export function defineError<const Name extends string, const Kind extends ErrorKind>(
  name: Name,
  kind: Kind,
  defaults: { retryable?: boolean } = {},
) {
  return class extends NautilError {
    override readonly name = name;
    readonly kind = kind;

    constructor(message: string, { retryable = defaults.retryable, ...options }: NautilErrorOptions = {}) {
      super(message, { ...options, retryable });
    }
  };
}

/** The command line or the input of a program does not make sense. */
export class UsageError extends defineError('UsageError', 'usage') {}

/** The user, or the process that started this program, asked it to stop. */
export class Interrupted extends defineError('Interrupted', 'interrupted') {}

/** No Temporal server answers. */
export class TemporalUnreachable extends defineError('TemporalUnreachable', 'environment', { retryable: true }) {}

/** The message with the hint below it, for places that show one text, such as Temporal's UI. */
export const messageWithHint = ({ message, hint }: Pick<NautilError, 'message' | 'hint'>): string =>
  hint ? `${message}\n${hint}` : message;

/** Undoes `messageWithHint`. */
export const messageWithoutHint = (message: string, hint: string | undefined): string =>
  hint && message.endsWith(`\n${hint}`) ? message.slice(0, -hint.length - 1) : message;

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
  if (error instanceof NautilError && error.hint) for (const line of error.hint.split('\n')) lines.push(`  ${line}`);
  const expected = error instanceof NautilError;
  if (debug || !expected) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? String(at));
  }
  return lines.join('\n');
}
