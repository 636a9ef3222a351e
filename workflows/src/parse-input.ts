import { ApplicationFailure } from '@temporalio/workflow';
import {
  type ContinuedRun,
  type ContinuedSweep,
  type FailureDetails,
  messageWithHint,
  objectives,
  stageNames,
  type SweepInput,
  type TextClassificationInput,
} from '@nautil/contracts';

type Parser = (value: unknown, key: string) => unknown;

// `continued` is written by workflows only, so it is not checked.
const runParsers = {
  config: text,
  overrides: texts,
  runKey: text,
  home: text,
  from: oneOf(stageNames),
  parentMlflowRunId: text,
  configPath: text,
  cwd: text,
  continued: (value: unknown): ContinuedRun => value as ContinuedRun,
} satisfies Record<keyof TextClassificationInput, Parser>;

const sweepParsers = {
  config: text,
  overrides: texts,
  random: count,
  seed: wholeNumber,
  limit: count,
  objective: oneOf(objectives),
  configPath: text,
  cwd: text,
  continued: (value: unknown): ContinuedSweep => value as ContinuedSweep,
} satisfies Record<keyof SweepInput, Parser>;

/** Validates what the user typed after `--input`. An invalid input fails the workflow at once, with the part that is wrong. */
export function parseInput(input: unknown): TextClassificationInput {
  const parsed: TextClassificationInput = parse(input ?? {}, runParsers, '{"overrides": ["trainer.max_epochs=1"]}');
  if (parsed.from && !parsed.runKey) throw refuse('the input has from without runKey: `nautil resume` fills in both');
  return parsed;
}

/** Validates the input of a sweep in the same way. */
export function parseSweepInput(input: unknown): SweepInput {
  const example = '{"overrides": ["model.optim.lr=1e-5,2e-5"]}';
  const { overrides, ...rest } = parse(input ?? {}, sweepParsers, example);
  if (!overrides?.length) throw refuse('the input has no overrides, so nothing varies', example);
  return { overrides, ...rest };
}

/** A null value counts as absent. */
function parse<P extends Record<string, Parser>>(
  input: unknown,
  parsers: P,
  example: string,
): { [K in keyof P]?: ReturnType<P[K]> } {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw refuse(`the input is ${describe(input)}, not an object`, example);
  const entries = Object.entries(input).map(([key, value]: [string, unknown]) => {
    const parser = Object.hasOwn(parsers, key) ? parsers[key] : undefined;
    if (!parser) {
      const keys = Object.keys(parsers).filter((known) => known !== 'continued');
      throw refuse(`the input has an unknown key ${key}; the keys are ${keys.join(', ')}`, example);
    }
    return [key, value == null ? undefined : parser(value, key)];
  });
  return Object.fromEntries(entries) as { [K in keyof P]?: ReturnType<P[K]> };
}

function text(value: unknown, key: string): string {
  if (typeof value !== 'string') throw refuse(`${key} is ${describe(value)}, not a text`);
  return value;
}

function texts(value: unknown, key: string): string[] {
  if (!Array.isArray(value)) throw refuse(`${key} is ${describe(value)}, not a list of texts`);
  return value.map((item: unknown, index) => text(item, `${key}[${index}]`));
}

function wholeNumber(value: unknown, key: string): number {
  if (!Number.isSafeInteger(value)) throw refuse(`${key} is ${describe(value)}, not a whole number`);
  return value as number;
}

function count(value: unknown, key: string): number {
  const number = wholeNumber(value, key);
  if (number < 1) throw refuse(`${key} is ${number}, not 1 or more`);
  return number;
}

function oneOf<T extends string>(values: readonly T[]): (value: unknown, key: string) => T {
  return (value, key) => {
    const found = values.find((known) => known === value);
    if (found === undefined) throw refuse(`${key} is ${describe(value)}, not one of ${values.join(', ')}`);
    return found;
  };
}

const describe = (value: unknown): string => JSON.stringify(value).slice(0, 80);

function refuse(message: string, example?: string): ApplicationFailure {
  const details: FailureDetails = { kind: 'usage', hint: example ? `start it with --input '${example}'` : undefined };
  return ApplicationFailure.nonRetryable(messageWithHint({ message, hint: details.hint }), 'InputError', details);
}
