import { stages, type ContinuedRun, type Stage, type TextClassificationInput } from '@nautil/contracts';
import { ApplicationFailure } from '@temporalio/workflow';

const example = `'{"config": "text_classification_config", "overrides": ["trainer.max_epochs=1"]}'`;

/** Checks what was typed after `--input`; a wrong shape ends the workflow at once, saying which part is wrong. */
export function parseInput(input: unknown): TextClassificationInput {
  if (input === undefined || input === null) return {};
  if (typeof input !== 'object' || Array.isArray(input)) throw refuse(`the input is ${describe(input)}, not an object`);
  const parsers = {
    config: text,
    overrides: texts,
    runKey: text,
    from: stageName,
    parentMlflowRunId: text,
    continued: asItIs<ContinuedRun>,
  };
  const entries = Object.entries(input).map(([key, value]: [string, unknown]) => {
    if (!Object.hasOwn(parsers, key))
      throw refuse(`the input has an unknown key ${key}; the keys are ${Object.keys(parsers).join(', ')}`);
    return [key, value == null ? undefined : parsers[key as keyof typeof parsers](value, key)];
  });
  const parsed = Object.fromEntries(entries) as TextClassificationInput;
  if (parsed.from && !parsed.runKey) throw refuse('the input has from without runKey: `nautil resume` fills in both');
  return parsed;
}

function text(value: unknown, key: string): string {
  if (typeof value !== 'string') throw refuse(`${key} is ${describe(value)}, not a text`);
  return value;
}

function texts(value: unknown, key: string): string[] {
  if (!Array.isArray(value)) throw refuse(`${key} is ${describe(value)}, not a list of texts`);
  return value.map((item: unknown, index) => text(item, `${key}[${index}]`));
}

function stageName(value: unknown, key: string): Stage {
  const found = stages.find((stage) => stage === value);
  if (!found) throw refuse(`${key} is ${describe(value)}, not one of ${stages.join(', ')}`);
  return found;
}

/** Parts that only workflows write. */
const asItIs = <T>(value: unknown): T => value as T;

const describe = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 80);

const refuse = (message: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(message, 'InputError', { kind: 'usage', hint: `start it with --input ${example}` });
