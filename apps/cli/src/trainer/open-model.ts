import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Config,
  experimentName,
  keysThat,
  loadConfig,
  type LoadedConfig,
  readConfig,
  runPlaceholder,
} from '@nautil/config';
import {
  type JsonValue,
  listed,
  nautilCommand,
  overrideOf,
  shellWord,
  UsageError,
  valueAt,
  withValueAt,
} from '@nautil/contracts';
import { Classifier, recordedEvaluation } from '@nautil/training';
import { archiveIn } from '../format-runs.js';
import { localRuns } from '../local-runs.js';
import { printMessage } from '../output.js';
import { typedPath } from '../try-command.js';
import type { HydraArguments } from './hydra-arguments.js';

export interface OpenedModel {
  classifier: Classifier;

  /** The configuration of the command, with the settings that the archive records for every key that the user did not set. */
  config: Config;

  /** True when the user set the key. */
  isGiven: (key: string) => boolean;

  /** The loss weights of the archive's run, by label id; undefined without any. */
  classWeights: number[] | undefined;
  path: string;
}

/**
 * Opens the archive that `model.nemo_path` names, and computes as its run did.
 *
 * @param o.follows - the keys that the command reads besides those that decide how a model is opened and computed
 */
export async function openModel(
  args: HydraArguments,
  o: { cwd: string; batchSize: (config: Config) => number; follows: readonly string[] },
): Promise<OpenedModel> {
  const { configName, configPath, overrides } = args;
  const loaded = await loadConfig({ configName, configPath, overrides, cwd: o.cwd });
  const { nemo_path, tokenizer } = loaded.config.model;
  if (nemo_path === null)
    throw new UsageError('model.nemo_path is null: it names no archive', {
      hint: 'add model.nemo_path=FILE.nemo; the end of a run prints the path of its archive',
    });
  if (nemo_path.includes(runPlaceholder))
    throw new UsageError(
      `model.nemo_path is ${nemo_path}: each run has an archive of its own, with its name for ${runPlaceholder}`,
      {
        hint: await archiveHint(nemo_path, loaded.config),
      },
    );
  const path = resolve(o.cwd, nemo_path);
  const vocabulary = tokenizer.vocab_file ?? tokenizer.tokenizer_model;
  const tokenizerFolder = vocabulary === null ? undefined : resolve(o.cwd, vocabulary, '..');
  const isGiven = (key: string): boolean => loaded.writtenAt(key) !== undefined && !loaded.isShipped(key);
  const recorded = await recordedEvaluation(path, { tokenizerFolder });
  const { config, notes } = withRecorded(loaded, recorded?.keys ?? {}, isGiven);
  const classifier = await Classifier.open(path, {
    batchSize: o.batchSize(config),
    nemoPadding: config.nautil.batches.nemo_padding,
    runAs: config,
    tokenizerFolder,
  });
  const ignored = ignoredOverrides(loaded, o.follows);
  if (ignored.length > 0)
    notes.push(
      `${listed(ignored)} ${ignored.length === 1 ? 'has' : 'have'} no effect on ${path}, which is trained already`,
    );
  for (const note of [...loaded.notes, ...notes, ...classifier.notes]) printMessage(`note: ${note}`);
  return { classifier, config, isGiven, classWeights: recorded?.classWeights, path };
}

/** The keys that decide how a trained model is opened and computed. */
const followed = [
  'model.nemo_path',
  'model.tokenizer.vocab_file',
  'model.tokenizer.tokenizer_model',
  'trainer.accelerator',
  'trainer.devices',
  'trainer.precision',
  'nautil.batches.nemo_padding',
  'nautil.intra_op_threads',
  'nautil.onednn',
  'nautil.tf32',
];

/**
 * The overrides on the command line that have an effect on a run, but none on a trained model. The notes of the configuration
 * report keys without any effect.
 */
export function ignoredOverrides({ writtenAt }: Pick<LoadedConfig, 'writtenAt'>, follows: readonly string[]): string[] {
  const read = new Set([...followed, ...follows]);
  const ignored = keysThat(({ noEffect }) => noEffect === undefined).filter((key) => !read.has(key));
  const written = ignored.map((key) => /^override \d+: (?<text>.*)$/s.exec(writtenAt(key) ?? '')?.groups?.['text']);
  return [...new Set(written.filter((text) => text !== undefined))];
}

/** Replaces every value that the user did not set by the recorded one, and notes those that differ. */
function withRecorded(
  { tree, config }: LoadedConfig,
  recorded: Readonly<Record<string, JsonValue>>,
  isGiven: (key: string) => boolean,
): { config: Config; notes: string[] } {
  let merged = tree;
  const changed: string[] = [];
  for (const [key, value] of Object.entries(recorded)) {
    if (isGiven(key)) continue;
    merged = withValueAt(merged, key, value);
    if (valueAt({ ...config }, key) !== value) changed.push(`${key}=${JSON.stringify(value)}`);
  }
  if (changed.length === 0) return { config: readConfig(merged), notes: [] };
  return {
    config: readConfig(merged),
    notes: [`as in the run that made the archive: ${changed.join(', ')}; a value on the command line takes precedence`],
  };
}

/** Which archive a command may name: the newest that a run of the configuration has written here, if there is one. */
async function archiveHint(nemoPath: string, { exp_manager }: Config): Promise<string> {
  const list = `\`${nautilCommand('runs')}\` lists the runs`;
  const experiment = experimentName(exp_manager);
  for (const { id, summary } of await localRuns()) {
    const archive = archiveIn(summary.params);
    if (summary.status !== 'FINISHED' || summary.experiment !== experiment || !archive || !existsSync(archive))
      continue;
    return `add ${shellWord(overrideOf('model.nemo_path', typedPath(archive)))}, the archive of ${id}, which is the newest; ${list}`;
  }
  return `add model.nemo_path=${nemoPath.replaceAll(runPlaceholder, 'RUN')} with the name of a run; ${list}`;
}
