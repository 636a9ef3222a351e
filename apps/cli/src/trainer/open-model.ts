import { resolve } from 'node:path';
import { type Config, loadConfig, type LoadedConfig, readConfig } from '@nautil/config';
import { type JsonValue, listed, UsageError, valueAt, withValueAt } from '@nautil/contracts';
import { Classifier, recordedEvaluation } from '@nautil/training';
import { printMessage } from '../output.js';
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

/** Opens the archive that `model.nemo_path` names, and computes as its run did. */
export async function openModel(
  args: HydraArguments,
  o: { cwd: string; batchSize: (config: Config) => number },
): Promise<OpenedModel> {
  const { configName, configPath, overrides } = args;
  const loaded = await loadConfig({ configName, configPath, overrides, cwd: o.cwd });
  const { nemo_path, tokenizer } = loaded.config.model;
  if (nemo_path === null) throw new UsageError('model.nemo_path is null', { hint: 'add model.nemo_path=FILE.nemo' });
  const path = resolve(o.cwd, nemo_path);
  const tokenizerFolder = tokenizer.vocab_file === null ? undefined : resolve(o.cwd, tokenizer.vocab_file, '..');
  const isGiven = (key: string): boolean => loaded.writtenAt(key) !== undefined && !loaded.isShipped(key);
  const recorded = await recordedEvaluation(path, { tokenizerFolder });
  const { config, notes } = withRecorded(loaded, recorded?.keys ?? {}, isGiven);
  const classifier = await Classifier.open(path, {
    batchSize: o.batchSize(config),
    nemoPadding: config.nautil.batches.nemo_padding,
    runAs: config,
    tokenizerFolder,
  });
  const ignored = ignoredOverrides(overrides);
  if (ignored.length > 0)
    notes.push(
      `${path} determines the model, so ${listed(ignored)} ${ignored.length === 1 ? 'has' : 'have'} no effect`,
    );
  for (const note of [...loaded.notes, ...notes, ...classifier.notes]) printMessage(`note: ${note}`);
  return { classifier, config, isGiven, classWeights: recorded?.classWeights, path };
}

/** Settings of a model that its archive determines. */
const archived = /^\+{0,2}model\.(dataset\.num_classes|language_model\.|classifier_head\.)/;

/** The overrides on the command line that a trained model does not follow. */
export const ignoredOverrides = (overrides: readonly string[]): string[] =>
  overrides.filter((override) => archived.test(override));

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
