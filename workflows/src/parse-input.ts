import { type ApplicationFailure } from '@temporalio/workflow';
import {
  type ContinuedRun,
  type ContinuedSweep,
  type FailureDetails,
  messageWithHint,
  objectives,
  stageNames,
  type SweepInput,
  type TextClassificationInput,
  type Tracking,
  type TrialRow,
  trialStates,
} from '@nautil/contracts';
import {
  flag,
  float,
  InvalidValue,
  listOf,
  object,
  oneOf,
  type Parser,
  plainObject,
  text,
  texts,
  wholeNumber,
  wholeNumberFrom,
} from './json-parsers.js';
import { expectedFailure } from './to-workflow-failure.js';

const continuedRun: Parser<ContinuedRun> = object({ stopEarly: flag }, { redoToken: text });

const tracking: Parser<Tracking> = object({}, { runId: text, url: text, warnings: texts });

const trialRow: Parser<TrialRow> = object(
  { number: wholeNumberFrom(1), workflowId: text, overrides: texts, state: oneOf(trialStates) },
  {
    objective: float,
    accuracy: float,
    f1Macro: float,
    loss: float,
    mlflowUrl: text,
    nemo: text,
    trackingWarnings: texts,
    failure: object({ type: text, message: text }, {}),
  },
);

const continuedSweep: Parser<ContinuedSweep> = object(
  {
    plan: object({ experiment: text, fixed: texts, notes: texts }, {}),
    rows: listOf(trialRow, 'trials'),
    tracking,
  },
  {},
);

const runParsers = {
  config: text,
  overrides: texts,
  runKey: text,
  home: text,
  from: oneOf(stageNames),
  parentMlflowRunId: text,
  configPath: text,
  cwd: text,
  continued: continuedRun,
} satisfies Record<keyof TextClassificationInput, Parser<unknown>>;

const sweepParsers = {
  config: text,
  overrides: texts,
  random: wholeNumberFrom(1),
  seed: wholeNumber,
  limit: wholeNumberFrom(1),
  objective: oneOf(objectives),
  configPath: text,
  cwd: text,
  continued: continuedSweep,
} satisfies Record<keyof SweepInput, Parser<unknown>>;

/** Validates what the user typed after `--input`. An invalid input fails the workflow at once, with the part that is wrong. */
export function parseInput(input: unknown): TextClassificationInput {
  const parsed: TextClassificationInput = parse(input ?? {}, runParsers, '{"overrides": ["trainer.max_epochs=1"]}');
  if (parsed.from && !parsed.runKey) throw refuse('the input has from without runKey: the command resume sets both');
  return parsed;
}

/** Validates the input of a sweep in the same way. */
export function parseSweepInput(input: unknown): SweepInput {
  const example = '{"overrides": ["model.optim.lr=1e-5,2e-5"]}';
  const { overrides, ...rest } = parse(input ?? {}, sweepParsers, example);
  if (!overrides?.length) throw refuse('the input has no overrides, so nothing varies', example);
  return { overrides, ...rest };
}

/** A null value counts as absent. Unlike in a message, an unknown key is an error: the user may have mistyped it. */
function parse<P extends Record<string, Parser<unknown>>>(
  input: unknown,
  parsers: P,
  example: string,
): { [K in keyof P]?: ReturnType<P[K]> } {
  try {
    const source = plainObject(input, 'the input');
    const unknown = Object.keys(source).find((key) => !Object.hasOwn(parsers, key));
    if (unknown !== undefined) {
      const keys = Object.keys(parsers).filter((known) => known !== 'continued');
      throw new InvalidValue(`the input has an unknown key ${unknown.slice(0, 80)}; the keys are ${keys.join(', ')}`);
    }
    const entries = Object.entries(parsers).flatMap(([key, parser]) =>
      source[key] == null ? [] : [[key, parser(source[key], key)]],
    );
    return Object.fromEntries(entries) as { [K in keyof P]?: ReturnType<P[K]> };
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw refuse(error.message, example);
  }
}

function refuse(message: string, example?: string): ApplicationFailure {
  const details: FailureDetails = { kind: 'usage', hint: example ? `start it with --input '${example}'` : undefined };
  return expectedFailure({
    message: messageWithHint({ message, hint: details.hint }),
    type: 'InputError',
    details: [details],
  });
}
