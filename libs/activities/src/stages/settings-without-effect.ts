import { changedKeysNeeding, type Config, isChanged } from '@nautil/config';
import { type LabelledData, listed } from '@nautil/contracts';
import { examplesWorthThreads, type LoadedTokenizer } from '@nautil/tokenization';
import { countBatches } from '@nautil/training';
import { isSwitchedOff } from './require-batches.js';

/** Fewer full batches are not grouped by length; see `planBatches`. */
const batchesWorthGrouping = 8;

/**
 * A sentence for each setting that the data deprives of its effect. What the configuration alone decides is reported when it
 * is loaded.
 */
export function settingsWithoutEffect(config: Config, examples: LabelledData['examples']): string[] {
  return [...settingsOfAbsentSplits(config, examples), ...settingsOfBatches(config, examples)];
}

function settingsOfAbsentSplits(config: Config, examples: LabelledData['examples']): string[] {
  return (['validation', 'test'] as const).flatMap((split) => {
    const file = config.model[`${split}_ds`].file_path;
    const { source, format } = config.nautil.data;
    const isKnown = file === null && source === null && (split === 'test' || format === 'nemo');
    if (examples[split] !== undefined || isKnown || isSwitchedOff(split, config)) return [];
    const keys = changedKeysNeeding(`model.${split}_ds.file_path`, config);
    if (keys.length === 0) return [];
    const has = keys.length === 1 ? 'has' : 'have';
    return [`the data has no ${split} examples, so that ${listed(keys)} ${has} no effect`];
  });
}

function settingsOfBatches(config: Config, examples: LabelledData['examples']): string[] {
  const notes: string[] = [];
  let isGrouped = false;
  let isShuffled = false;
  for (const [split, limitKey] of limitKeys) {
    const rows = examples[split];
    if (rows === undefined || (split !== 'train' && isSwitchedOff(split, config))) continue;
    const dataset = config.model[`${split}_ds`];
    const { batch_size: batchSize, shuffle } = dataset;
    isShuffled ||= shuffle;
    isGrouped ||= shuffle && Math.floor(rows / batchSize) >= batchesWorthGrouping;
    const isWhole = countBatches({ rows, dataset, limit: config.trainer[limitKey] }) * batchSize === rows;
    if (split !== 'train' && shuffle && isWhole)
      notes.push(`model.${split}_ds.shuffle has no effect: every batch is full, and every one is evaluated`);
    const workers = `model.${split}_ds.num_workers`;
    if (rows < examplesWorthThreads && isChanged(workers, config))
      notes.push(`${workers} has no effect: threads are started for ${examplesWorthThreads} examples or more`);
  }
  if (isShuffled && !isGrouped && isChanged('nautil.batches.bucket_by_length', config))
    notes.push(
      `nautil.batches.bucket_by_length has no effect: ${batchesWorthGrouping} or more full batches of shuffled data are grouped`,
    );
  return notes;
}

const limitKeys = [
  ['train', 'limit_train_batches'],
  ['validation', 'limit_val_batches'],
  ['test', 'limit_test_batches'],
] as const;

/** A sentence for each setting that the tokenizer deprives of its effect. `do_lower_case` is in the tokenizer's own notes. */
export function settingsWithoutEffectOn({ padId }: Pick<LoadedTokenizer, 'padId'>, { nautil }: Config): string[] {
  return nautil.batches.nemo_padding && padId === 0
    ? ['nautil.batches.nemo_padding has no effect: the padding token has the id 0, so that NeMo masks it, too']
    : [];
}
