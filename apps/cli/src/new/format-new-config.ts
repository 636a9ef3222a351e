import { escapeReferences } from '@nautil/config';
import { counted, nautilCommand } from '@nautil/contracts';
import { asTyped } from '../output.js';
import type { EncoderChoice } from './encoders.js';
import type { NamedData } from './find-new-data.js';
import type { TrainingSettings } from './training-settings.js';

/** What a new configuration states. */
export interface NewConfig {
  /** Name of the experiment. */
  name: string;

  /** The file, as it is typed in the working folder. */
  file: string;

  named: NamedData;
  isFile: boolean;
  encoder: EncoderChoice;
  settings: TrainingSettings;

  /** The share of the training data that becomes the validation set; absent: there is one. */
  validationFraction: number | undefined;

  /** Whether there is anything to choose the best epoch by. */
  isValidated: boolean;

  /** Whether labels with gaps in NeMo's TSV are numbered from 0. */
  relabels: boolean;
  precision: string;

  /** Counts, for comments. */
  examples: number;
  classes: number;
  percentile99: number;
  longest: number;

  /** Whether the lengths are those of the encoder's own tokenizer. */
  isCounted: boolean;
}

/** Writes the configuration as YAML, with the reason for each value. It extends NeMo's, which has all other keys. */
export function formatNewConfig(o: NewConfig): string {
  const { encoder, settings, named } = o;
  const lengths = `99 % of the texts have at most ${o.percentile99} tokens, the longest ${o.longest}`;
  const files = [
    ...(o.isFile ? [setting('train_ds', { file_path: named.data, batch_size: settings.batchSize }, sizes(o))] : []),
    ...(o.isFile ? [] : [setting('train_ds', { batch_size: settings.batchSize }, sizes(o))]),
    ...(named.validation === undefined ? [] : [setting('validation_ds', { file_path: named.validation })]),
    ...(named.test === undefined ? [] : [setting('test_ds', { file_path: named.test })]),
  ];
  const data = setting(
    'data',
    {
      source: o.isFile ? undefined : named.data,
      text_column: named.columns.text,
      text_pair_column: named.columns.textPair,
      label_column: named.columns.label,
      validation_fraction: o.validationFraction,
      relabel: o.relabels ? true : undefined,
    },
    o.validationFraction === undefined
      ? undefined
      : `${100 * o.validationFraction} % of each class becomes the validation set`,
  );
  return [
    asTyped(`# Trains ${shown(encoder.model)} on ${shown(named.data)}: ${commandOf(o.file)}`),
    '# Paths start in the folder in which that command is typed.',
    asTyped('# `npx nautil config explain model.optim.lr` explains a key.'),
    'defaults:',
    '  - text_classification_config # all other settings',
    ...(encoder.preset === undefined
      ? []
      : [`  - override model: ${encoder.preset} # the encoder; docs/presets.md lists others`]),
    '  - _self_',
    'model:',
    ...(encoder.preset === undefined ? [`  language_model: { pretrained_model_name: ${textOf(encoder.model)} }`] : []),
    ...files,
    `  dataset: { max_seq_length: ${settings.maxSeqLength} } # ${lengths}${o.isCounted ? '' : ' (estimated)'}`,
    `  optim: { lr: ${encoder.lr.toExponential()} } # ${encoder.lrFrom}`,
    '  infer_samples: [] # texts that are classified after the training',
    'trainer:',
    `  max_epochs: ${settings.maxEpochs}${o.isValidated ? ' # at most' : ''}`,
    ...(settings.accumulate === 1
      ? []
      : [
          `  accumulate_grad_batches: ${settings.accumulate} # a step has ${settings.accumulate} batches, since the memory holds no larger ones`,
        ]),
    `  precision: auto # ${o.precision} on this machine`,
    'exp_manager:',
    `  name: ${textOf(o.name)} # of the experiment in MLflow, and of the folder of logs`,
    ...(o.isValidated ? bestWeights(settings) : []),
    ...(data === undefined ? [] : ['nautil:', data]),
    '',
  ].join('\n');
}

const bestWeights = ({ patience }: TrainingSettings): string[] => [
  `  create_early_stopping_callback: true # ends after ${patience} epochs without a better macro F1 on the validation set`,
  `  early_stopping_callback_params: { monitor: val_f1_macro, mode: max, patience: ${patience} }`,
  '  checkpoint_callback_params: { monitor: val_f1_macro, mode: max, save_best_model: true } # packages the best epoch',
];

const sizes = ({ examples, classes }: NewConfig): string => `${counted(examples, 'example')} of ${classes} classes`;

/** A map on one line, with the values that are set. */
function setting(
  key: string,
  values: Readonly<Record<string, string | number | boolean | undefined>>,
  comment?: string,
): string | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return undefined;
  const written = entries.map(([name, value]) => `${name}: ${typeof value === 'string' ? textOf(value) : value}`);
  return `  ${key}: { ${written.join(', ')} }${comment === undefined ? '' : ` # ${comment}`}`;
}

/** A text as YAML's flow style has it, which reads back as the same text: quoted, unless it can't be mistaken for anything else. */
const textOf = (text: string): string => (isWord(text) ? text : JSON.stringify(escapeReferences(text)));

const isWord = (text: string): boolean =>
  /^(?:[A-Za-z]|\.{0,2}\/)[\w./-]*$/.test(text) && !/^(?:y|n|yes|no|on|off|true|false|null)$/i.test(text);

/** A name in a comment, on one line. */
const shown = (text: string): string => (/^[\w./-]+$/.test(text) ? text : JSON.stringify(text));

/** The command that trains with a file. */
export const commandOf = (file: string): string => nautilCommand('run', file.startsWith('-') ? `./${file}` : file);
