import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { checkRequest } from '@nautil/activities';
import { readProcessor, userPath } from '@nautil/config';
import { fileProblem, UsageError } from '@nautil/contracts';
import type { TableInspection } from '@nautil/datasets/tables';
import { isTemporalServing, stackAddresses } from '@nautil/stack';
import { hubProblem, isHubName } from '@nautil/store/download';
import { createFolder } from '@nautil/store/folders';
import { surveyOptions } from '../column-options.js';
import { printMessage } from '../output.js';
import { chooseEncoder } from './choose-encoder.js';
import { clearColumns } from './clear-columns.js';
import { type EncoderChoice, localEncoders } from './encoders.js';
import { findNewData, type FoundData, type NamedData } from './find-new-data.js';
import { formatNewConfig, type NewConfig } from './format-new-config.js';
import { formatSummary } from './format-summary.js';
import type { NewFlags } from './new-flags.js';
import { placeOf } from './place-of.js';
import type { Questions } from './questions.js';
import { trainingSettings } from './training-settings.js';

/** Fewer examples get a larger validation set: a tenth of them would choose the best epoch by chance. */
const fewExamples = 500;

/**
 * Writes the configuration of `nautil new`.
 *
 * @param name - of the experiment, with a folder before it and `.yaml` after it, or without
 * @param o.questions - absent without a terminal, or with `--yes`
 * @returns what is printed: what was found and chosen, and the command that trains
 * @throws UsageError where an option is needed; DataError for data that can't be trained on; what a run throws before it starts
 */
export async function newConfiguration(
  name: string,
  flags: NewFlags,
  o: { cwd: string; questions: Questions | undefined },
): Promise<string> {
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
  return formatSummary(config, chosen, {
    isUp: await isTemporalServing(stackAddresses().temporal),
    isLocal: found.isLocal,
    downloadProblem: await downloadProblem(chosen.encoder),
  });
}

/** Why the first run can't download its encoder now; undefined if it can, or needs no download. */
async function downloadProblem({ local, model }: EncoderChoice): Promise<string | undefined> {
  if (local !== undefined || !isHubName(model)) return undefined;
  const problem = await hubProblem({ type: 'model', name: model });
  if (problem === undefined) return undefined;
  const [remedy] = (problem.hint ?? '').split('\n');
  const own = (await localEncoders()).flatMap(({ preset }) => preset ?? []);
  return `${problem.message}; ${remedy}, or name a model on this machine: --encoder ${[...own, 'FOLDER'].join(' or --encoder ')}`;
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
