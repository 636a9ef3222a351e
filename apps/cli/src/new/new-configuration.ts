import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { checkRequest } from '@nautil/activities';
import { readProcessor, userPath } from '@nautil/config';
import { counted, escapeControls, fileProblem, nautilCommand, UsageError } from '@nautil/contracts';
import {
  chooseColumns,
  ColumnsUnclear,
  inspectTables,
  openTable,
  profileColumns,
  type TableInspection,
} from '@nautil/datasets/tables';
import { isTemporalServing, stackAddresses } from '@nautil/stack';
import { createFolder } from '@nautil/store/folders';
import { surveyOptions } from '../column-options.js';
import type { NewFlags } from '../commands/new.js';
import { printMessage } from '../output.js';
import { type EncoderChoice, encoderNamed, localEncoders, presetsFor } from './encoders.js';
import { findNewData, type FoundData, type NamedData } from './find-new-data.js';
import { commandOf, formatNewConfig, type NewConfig } from './format-new-config.js';
import type { Questions } from './questions.js';
import { TextCounter } from './text-counter.js';
import { trainingSettings } from './training-settings.js';

interface NewOptions {
  cwd: string;

  /** Absent without a terminal, or with `--yes`. */
  questions: Questions | undefined;
}

/** Data that has been read with the tokenizer of an encoder. */
interface InspectedData {
  inspection: TableInspection;
  counter: TextCounter;
}

/** Fewer examples get a larger validation set: a tenth of them would choose the best epoch by chance. */
const fewExamples = 500;

/** The configuration that the written file extends, and therefore cannot replace. */
const extended = 'text_classification_config';

/** Leaves room in a name of 255 bytes for what is appended to it. */
const longestName = 128;

/**
 * Writes the configuration of `nautil new`.
 *
 * @param name - of the experiment, with a folder before it and `.yaml` after it, or without
 * @returns what is printed: what was found and chosen, and the command that trains
 * @throws UsageError where an option is needed; DataError for data that can't be trained on; what a run throws before it starts
 */
export async function newConfiguration(name: string, flags: NewFlags, o: NewOptions): Promise<string> {
  const place = await placeOf(name, flags, o);
  const data = flags.data ?? (await o.questions?.type('Which file or folder has the labelled texts?'));
  if (data === undefined) throw new UsageError('nothing names the labelled texts', { hint: 'add --data FILE' });
  const { columns = {} } = surveyOptions(flags);
  const named: NamedData = { data, validation: flags.validation, test: flags.test, columns };
  const found = await findNewData(named, { cwd: o.cwd, name: place.experiment, onProgress: printMessage });
  named.columns = await clearColumns(found, flags, o.questions);
  const chosen = await chooseEncoder(found, named, flags, o);
  const config = configOf({ ...place, named, found, ...chosen });
  const yaml = formatNewConfig(config);
  await check(yaml, place.experiment, o.cwd);
  await write(userPath(o.cwd, place.file), yaml, place.replaces);
  return summary(config, chosen);
}

/** The name of the experiment and the file to write. @throws UsageError for a name that can't be one, or a file that exists */
async function placeOf(
  name: string,
  flags: NewFlags,
  { cwd, questions }: NewOptions,
): Promise<{ experiment: string; file: string; replaces: boolean }> {
  const plain = name.replace(/\.ya?ml$/i, '');
  const experiment = basename(plain);
  if (/^\.{0,2}$/.test(experiment) || plain.endsWith('/') || /[\n\t]/.test(plain) || escapeControls(plain) !== plain)
    throw new UsageError(`${JSON.stringify(name)} can't be the name of an experiment`, {
      hint: 'write a word, such as reviews',
    });
  if (Buffer.byteLength(experiment) > longestName)
    throw new UsageError(`the name has ${Buffer.byteLength(experiment)} bytes`, {
      hint: `write at most ${longestName}`,
    });
  const file = flags.output ?? join(dirname(plain), `${experiment}.yaml`);
  if (!file.endsWith('.yaml'))
    throw new UsageError(`--output: ${file}: the name of a configuration ends in .yaml`, {
      hint: `write --output ${experiment}.yaml`,
    });
  if (basename(file) === `${extended}.yaml`)
    throw new UsageError(`${basename(file)} is the configuration that the new one extends`, {
      hint: 'choose another name',
    });
  const there = await stat(userPath(cwd, file)).catch(() => undefined);
  if (there === undefined || flags.force) return { experiment, file, replaces: there !== undefined };
  if (await questions?.confirm(`${file} exists. Replace it?`)) return { experiment, file, replaces: true };
  throw new UsageError(`${file} exists`, { hint: 'add --force to replace it, or --output FILE to write another' });
}

/** The columns that the user named, or chooses on a terminal where the table leaves a choice. */
async function clearColumns(
  { paths, isNemo }: FoundData,
  flags: NewFlags,
  questions: Questions | undefined,
): Promise<NamedData['columns']> {
  const { columns = {}, keys } = surveyOptions(flags);
  const [file = ''] = paths.train;
  const table = questions && !isNemo ? await openTable(file) : undefined;
  if (questions === undefined || table === undefined) return columns;
  try {
    await chooseColumns(table, columns, keys && { keys });
    return columns;
  } catch (error) {
    if (!(error instanceof ColumnsUnclear) || (columns.text !== undefined && columns.label !== undefined)) throw error;
    printMessage(error.message);
  }
  const answers = (await profileColumns(table)).map(({ name, examples }) => ({
    value: name,
    hint: examples.join(' | ').slice(0, 60),
  }));
  const text = columns.text ?? (await questions.choose('Which column has the texts?', answers));
  const others = answers.filter(({ value }) => value !== text);
  return { ...columns, text, label: columns.label ?? (await questions.choose('Which column has the labels?', others)) };
}

/**
 * The encoder that the user names, else the smallest one on this machine whose vocabulary suits the texts, else one that the user
 * chooses.
 */
async function chooseEncoder(
  found: FoundData,
  named: NamedData,
  flags: NewFlags,
  { cwd, questions }: NewOptions,
): Promise<InspectedData & { encoder: EncoderChoice }> {
  const inspect = async (encoder: EncoderChoice | undefined): Promise<InspectedData> => {
    const counter = new TextCounter(encoder?.local?.tokenizer);
    const survey = { ...surveyOptions(flags), columns: named.columns, paths: found.paths };
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

function configOf(o: {
  experiment: string;
  file: string;
  named: NamedData;
  found: FoundData;
  encoder: EncoderChoice;
  inspection: TableInspection;
}): NewConfig {
  const { found, encoder, inspection } = o;
  const train = inspection.splits.find(({ split }) => split === 'train');
  const { examples = 0, classes = [], tokens } = train ?? {};
  const hasValidation = found.paths.validation !== undefined;
  const validationFraction = hasValidation ? undefined : examples < fewExamples ? 0.2 : 0.1;
  const percentile99 = tokens?.percentile99 ?? 0;
  return {
    name: o.experiment,
    file: o.file,
    named: o.named,
    isFile: found.isFile,
    encoder,
    settings: trainingSettings({
      examples: Math.round(examples * (1 - (validationFraction ?? 0))),
      percentile99,
      encoder: encoder.local?.config,
      memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
    }),
    validationFraction,
    isValidated: hasValidation || classes.some(({ count }) => count > 1),
    relabels: found.isNemo && !inspection.names.every((label, id) => label === String(id)),
    precision: readProcessor().hasBfloat16 ? 'bf16-mixed' : '32',
    examples,
    classes: inspection.names.length,
    percentile99,
    longest: tokens?.max ?? 0,
    isCounted: encoder.local !== undefined,
  };
}

/** Checks the configuration as `nautil run` does before a run. @throws what that throws */
async function check(yaml: string, name: string, cwd: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nautil-new-'));
  try {
    await writeFile(join(folder, `${name}.yaml`), yaml);
    await checkRequest({ config: name, configPath: folder, overrides: [] }, { cwd });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function write(path: string, text: string, replaces: boolean): Promise<void> {
  try {
    await createFolder(dirname(path));
    await writeFile(path, text, { flag: replaces ? 'w' : 'wx' });
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === undefined) throw error;
    throw new UsageError(`${path} ${problem}`, { hint: 'name another file with --output', cause: error });
  }
}

/** Fewer examples of a class teach little. */
const fewOfClass = 20;

async function summary(
  config: NewConfig,
  { inspection, counter, encoder }: InspectedData & { encoder: EncoderChoice },
): Promise<string> {
  const { settings, percentile99 } = config;
  const rare = inspection.splits[0]?.classes.filter(({ count }) => count < fewOfClass).length ?? 0;
  const repeated = inspection.repetitions.reduce((sum, { count }) => sum + count, 0);
  const warnings = [
    ...(counter.misfit === undefined
      ? []
      : [`${encoder.model} does not suit the texts: ${counter.misfit}; --encoder names another`]),
    ...(rare === 0
      ? []
      : [`${counted(rare, 'class', 'classes')} ${rare === 1 ? 'has' : 'have'} fewer than ${fewOfClass} examples`]),
    ...(percentile99 <= settings.maxSeqLength
      ? []
      : [`more than 1 % of the texts are longer than ${settings.maxSeqLength} tokens, and are cut there`]),
    ...(repeated === 0
      ? []
      : [
          `${counted(repeated, 'text')} ${repeated === 1 ? 'occurs' : 'occur'} more than once; \`${nautilCommand('inspect', config.named.data)}\` lists them`,
        ]),
  ];
  const { maxSeqLength, batchSize, accumulate, maxEpochs } = settings;
  const place =
    encoder.local === undefined
      ? 'which the first run downloads from the Hugging Face hub'
      : 'which is on this machine';
  const isUp = await isTemporalServing(stackAddresses().temporal);
  return [
    ...inspection.notes,
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
    `encoder   ${encoder.model}, ${place}`,
    `settings  learning rate ${encoder.lr.toExponential()}, ${maxSeqLength} tokens, batches of ${batchSize * accumulate}, ${config.isValidated ? 'at most ' : ''}${maxEpochs} epochs`,
    `wrote     ${config.file}`,
    ...(isUp ? [] : [`first     ${nautilCommand('up')}`]),
    `train it  ${commandOf(config.file)}`,
  ].join('\n');
}
