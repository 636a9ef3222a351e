import { UsageError } from '@nautil/contracts';
import { inspectTables, type TableInspection } from '@nautil/datasets/tables';
import { surveyOptions } from '../column-options.js';
import { printMessage } from '../output.js';
import { type EncoderChoice, encoderNamed, localEncoders, presetsFor } from './encoders.js';
import type { FoundData, NamedData } from './find-new-data.js';
import type { NewFlags } from './new-flags.js';
import type { Questions } from './questions.js';
import { TextCounter } from './text-counter.js';

/** An encoder, and the data as its tokenizer reads it. */
export interface ChosenEncoder {
  encoder: EncoderChoice;
  inspection: TableInspection;
  counter: TextCounter;
}

/**
 * The encoder that the user names, else the smallest one on this machine whose vocabulary suits the texts, else one that the user
 * chooses.
 */
export async function chooseEncoder(
  found: FoundData,
  named: NamedData,
  flags: NewFlags,
  { cwd, questions }: { cwd: string; questions: Questions | undefined },
): Promise<ChosenEncoder> {
  const inspect = async (encoder: EncoderChoice | undefined): Promise<Omit<ChosenEncoder, 'encoder'>> => {
    const counter = new TextCounter(encoder?.local?.tokenizer);
    const survey = { ...surveyOptions(flags), columns: named.columns, paths: found.paths, relabel: found.isNemo };
    return { counter, inspection: await inspectTables({ ...survey, countTokens: counter.count }) };
  };
  const candidates = flags.encoder === undefined ? await localEncoders() : [await encoderNamed(flags.encoder, cwd)];
  let unsuitable: { encoder: EncoderChoice; why: string } | undefined;
  let script = undefined;
  for (const encoder of candidates) {
    const inspected = await inspect(encoder);
    const why = inspected.counter.misfit;
    if (why === undefined || flags.encoder !== undefined) return { ...inspected, encoder };
    unsuitable ??= { encoder, why };
    ({ script } = inspected.counter);
  }
  script ??= (await inspect(undefined)).counter.script;
  const reason = unsuitable
    ? `${unsuitable.encoder.model} does not suit the texts: ${unsuitable.why}`
    : 'no encoder of the presets is on this machine';
  const [proposed, ...more] = presetsFor[script];
  const kept = unsuitable?.encoder.preset;
  const name = questions
    ? await questions.choose(`${reason}. Which encoder?`, [
        ...[proposed, ...more].map((value) => ({
          value,
          hint: 'the first run downloads it from the Hugging Face hub',
        })),
        ...(kept === undefined ? [] : [{ value: kept, hint: 'on this machine' }]),
      ])
    : flags.yes
      ? proposed
      : undefined;
  if (name === undefined) {
    throw new UsageError(reason, {
      hint: `add --encoder ${proposed}, which the first run downloads from the Hugging Face hub${kept === undefined ? '' : `, or --encoder ${kept}`}; --encoder also takes a folder`,
    });
  }
  if (name !== kept) printMessage(`${reason}; ${name} is chosen`);
  const encoder = await encoderNamed(name, cwd);
  return { ...(await inspect(encoder)), encoder };
}
