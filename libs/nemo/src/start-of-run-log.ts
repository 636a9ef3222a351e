import { pythonFloat, pythonStrings } from '@nautil/python-format';
import type { TokenCacheSummary } from '@nautil/tokenization';
import type { ExperimentLog } from './experiment-log.js';

/** The facts that NeMo logs when a run starts. */
export interface StartOfRun {
  /** The resolved configuration as YAML. */
  config: string;

  /** Folder of the run's files. */
  folder: string;
}

export interface TokenizedSplit {
  /** The TSV. */
  file: string;

  summary: Pick<TokenCacheSummary, 'examples' | 'truncated' | 'lengths' | 'samples'>;
}

/** Logs the configuration and the folder in NeMo's words. */
export function logStartOfRun(log: Pick<ExperimentLog, 'info'>, start: StartOfRun): void {
  log.info('text_classification_with_bert', `\nConfig Params:\n${start.config}`);
  log.info('exp_manager', `Experiments will be logged at ${start.folder}`);
}

/**
 * Logs a tokenised split in NeMo's words: two examples with their tokens and ids, and statistics of the sequence lengths.
 *
 * @param maxLength - `model.dataset.max_seq_length`, the length to which texts are truncated
 */
export function logSplit(
  log: Pick<ExperimentLog, 'info' | 'warn'>,
  { file, summary }: TokenizedSplit,
  maxLength: number,
): void {
  const { examples, truncated, lengths, samples } = summary;
  const dataset = (message: string): void => log.info('text_classification_dataset', message);
  dataset(`Read ${examples} examples from ${file}.`);
  for (const [i, { text, textPair, tokens, ids, typeIds, label }] of samples.entries()) {
    dataset('*** Example ***');
    dataset(`example ${i}: ${[text, ...(textPair === undefined ? [] : [textPair])].map(wordsOf).join(' ')}`);
    dataset(`subtokens: ${tokens.join(' ')}`);
    dataset(`input_ids: ${ids.join(' ')}`);
    dataset(`segment_ids: ${(typeIds ?? ids.map(() => 0)).join(' ')}`);
    dataset(`input_mask: ${ids.map(() => 1).join(' ')}`);
    dataset(`label: ${label}`);
  }
  if (truncated > 0) {
    log.warn(
      'text_classification_dataset',
      `Found ${truncated} out of ${examples} sentences with more than ${maxLength} subtokens. Truncated long sentences from the end.`,
    );
  }
  const statistics = (message: string): void => log.info('data_preprocessing', message);
  statistics('Some stats of the lengths of the sequences:');
  statistics(
    [
      `Min: ${lengths.min}`,
      `Max: ${lengths.max}`,
      `Mean: ${pythonFloat(lengths.mean)}`,
      `Median: ${pythonFloat(lengths.median)}`,
    ].join(` |${' '.repeat(18)}`),
  );
  statistics(`75 percentile: ${lengths.percentile75.toFixed(2)}`);
  statistics(`99 percentile: ${lengths.percentile99.toFixed(2)}`);
}

const wordsOf = (text: string): string => pythonStrings(text.split(' ').filter((word) => word !== ''));

export interface DeviceOfRun {
  /** TensorFlow's name of the device that trains. */
  device: string;

  /** The number of GPUs that TensorFlow lists, and what it lists of them. */
  gpus: number;
  gpuDescriptions?: readonly string[] | undefined;

  /** Why the processor trains although the configuration leaves the choice open. */
  noGpu?: string | undefined;
}

/**
 * Logs in Lightning's words whether the machine that trains has a GPU, and whether the training uses it; then the GPUs, or why there
 * is none. Only the process that trains knows, so that the lines follow the start of training; Lightning writes its line before.
 */
export function logDevice(log: Pick<ExperimentLog, 'lightning'>, o: DeviceOfRun): void {
  log.lightning(`GPU available: ${pythonBool(o.gpus > 0)}, used: ${pythonBool(o.device.includes('GPU'))}`);
  for (const gpu of o.gpuDescriptions ?? []) log.lightning(gpu);
  if (o.noGpu !== undefined) log.lightning(`the processor trains: ${o.noGpu}`);
}

const pythonBool = (value: boolean): string => (value ? 'True' : 'False');
