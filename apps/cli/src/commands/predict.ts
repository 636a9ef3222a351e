import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { UsageError } from '@nautil/contracts';
import { canonicalJson, requireOutput, sha256Of } from '@nautil/store';
import type { Classifier } from '@nautil/training';
import { addColumnOptions } from '../column-options.js';
import { addInputOptions, examples, forceOption, requireForced } from '../help.js';
import { positiveInteger } from '../option-values.js';
import { printData, printMessage } from '../output.js';
import type { InputOptions } from '../predict/input-rows.js';
import type { OutputFormat } from '../predict/output-lines.js';
import type { LabelScores } from '../predict/score-labels.js';
import { zip } from '../zip.js';

interface PredictOptions extends InputOptions {
  model: string;
  format?: OutputFormat;
  labelIds: boolean;
  scores: boolean;
  top?: number;
  output?: string;
  force?: true;
  resume: boolean;
  tokenizer?: string;
  batchSize: number;
  nemoPadding: boolean;
  engine: 'auto' | 'onnxruntime' | 'tensorflow';
  precision: 'float32' | 'int8';
}

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('Classifies texts with a .nemo archive or a checkpoint; needs no server.')
    .requiredOption(
      '--model <file>',
      'a .nemo archive, of Nautil or of NeMo, or a checkpoint in the folder of its run',
    );
  addColumnOptions(addInputOptions(command))
    .addOption(
      new Option(
        '--format <format>',
        'tsv: the text, a tab, the label; a table: its columns, and the label; jsonl: with label, scores and logits, and the precision unless it is float32 (default: by the name of --output; else that of a CSV or TSV table, jsonl for other tables, tsv for lines)',
      ).choices(['tsv', 'csv', 'jsonl']),
    )
    .option('--label-ids', 'print the numbers of the labels instead of their names, as NeMo’s files have them', false)
    .option('--scores', 'add the probability of the label (jsonl has those of all labels without it)', false)
    .option('--top <count>', 'add this many of the most probable labels, with their probabilities', positiveInteger)
    .option(
      '--output <file>',
      'write to a file (.csv, .tsv or .jsonl), which has its name once it is complete (until then FILE.part)',
    )
    .addOption(forceOption())
    .option('--resume', 'continue an unfinished --output of the same command, for example after a kill', false)
    .option('--tokenizer <folder>', 'tokenizer files for an archive that lacks some (RoBERTa’s merges)')
    .option('--batch-size <rows>', 'texts per batch', positiveInteger, 32)
    .option(
      '--nemo-padding',
      'pad batches as NeMo does (nautil.batches.nemo_padding): RoBERTa attends to padding, so a text’s scores depend on its batch',
      false,
    )
    .addOption(
      new Option(
        '--engine <engine>',
        'what computes; auto: onnxruntime on the processor, TensorFlow on a GPU, and where onnxruntime cannot be loaded, cannot pad as NeMo does, or has no export of the encoder',
      )
        .choices(['auto', 'onnxruntime', 'tensorflow'])
        .default('auto'),
    )
    .addOption(
      new Option(
        '--precision <format>',
        'int8: onnxruntime multiplies bytes, on an AVX-512 processor about twice as fast; on SST-2’s test set, the accuracy stayed within 0.2 points, 0.5 % of the labels changed, and scores changed by 0.005 on average, 0.09 at most',
      )
        .choices(['float32', 'int8'])
        .default('float32'),
    )
    .addHelpText(
      'after',
      `${examples(
        'predict --model sst2.nemo --input reviews.txt',
        'predict --model sst2.nemo --input reviews.csv --text-column review --scores --output predictions.csv',
        'predict --model sst2.nemo --input dev.tsv --input-format tsv --label-ids',
        'predict --model sst2.nemo --input - --format jsonl < reviews.txt',
      )}

Writes one line per text, in order, to standard output or --output; everything else goes to standard error. The columns
of a table are kept, and the label is added as predicted_label. If the input has labels, accuracy and macro F1 follow at the end.
For a model of pairs, a line of text is a text, a tab, and a second text.`,
    )
    .action(predict);
}

async function predict(options: PredictOptions): Promise<void> {
  const { Classifier } = await import('@nautil/training');
  const { tokenizer: tokenizerFolder, batchSize, nemoPadding, engine, precision } = options;
  if (options.resume && (options.output === undefined || options.input === '-'))
    throw new UsageError('--resume continues a file from a file', { hint: 'name both with --input and --output' });
  requireForced(options.force, { path: options.output, option: '--output' });
  await requireOutputs(options);
  await namedFormat(options);
  const classifier = await Classifier.open(options.model, {
    tokenizerFolder,
    batchSize,
    nemoPadding,
    engine,
    precision,
  });
  try {
    for (const note of classifier.notes) printMessage(note);
    if (precision === 'int8') printMessage('int8: scores and logits differ a little from those in float32');
    await classify(classifier, options);
  } finally {
    classifier.close();
  }
}

/** @throws UsageError for files that must not be replaced */
async function requireOutputs({ output, force, resume, model, input, tokenizer }: PredictOptions): Promise<void> {
  if (output === undefined) return;
  const { unfinishedFiles } = await import('../predict/resumable-file.js');
  const inputs = [model, input, tokenizer];
  for (const path of unfinishedFiles(output)) requireOutput(path, { inputs, force: true });
  const isUnfinished = unfinishedFiles(output).some((path) => existsSync(path));
  requireOutput(output, {
    inputs,
    force: force === true || (resume && isUnfinished),
    ...(resume ? { hint: 'nothing of it is unfinished: add --force to compute it again, or write another file' } : {}),
  });
}

/** The format that an option or the name of the output states. @throws UsageError for one that is not written */
async function namedFormat({ output, format }: PredictOptions): Promise<OutputFormat | undefined> {
  const { formatOfFile } = await import('../predict/output-lines.js');
  return output === undefined ? format : formatOfFile(output, { content: 'predictions are', format });
}

async function classify(classifier: Classifier, options: PredictOptions): Promise<void> {
  const { openInput, rowChunks } = await import('../predict/input-rows.js');
  const { outputFormatOf, outputLines } = await import('../predict/output-lines.js');
  const { LabelScores } = await import('../predict/score-labels.js');
  const { ProgressLine } = await import('../predict/progress-line.js');
  const { labels } = classifier;
  const input = await openInput(options, classifier);
  const { header, lineOf } = outputLines(input, (await namedFormat(options)) ?? outputFormatOf(input), {
    labelIds: options.labelIds,
    scores: options.scores,
    top: Math.min(options.top ?? 0, classifier.numClasses),
    labels,
    precision: options.precision,
  });
  const scores = new LabelScores(input, classifier.numClasses);
  const output = await openOutput(options, scores);
  const progress = new ProgressLine();
  try {
    if (header !== undefined && output.chunks === 0) await output.write(header);
    let toSkip = Math.max(0, output.chunks - (header === undefined ? 0 : 1));
    // A chunk's number must mean the same rows when --resume continues, and NeMo's padding makes results depend on the batch.
    const isTimed = !options.nemoPadding && options.output === undefined;
    for await (const rows of rowChunks(input, { ...options, isTimed })) {
      if (toSkip-- > 0) continue;
      const predictions = await classifier.predict(rows.map((row) => row.input));
      scores.add(rows, predictions);
      await output.write([...zip(rows, predictions)].map(([row, prediction]) => lineOf(row, prediction)).join('\n'));
      progress.add(rows.length);
    }
    await output.finish();
  } finally {
    await output.close();
    progress.end();
  }
  for (const sentence of scores.summary()) printMessage(sentence);
}

/** Where the lines go. */
interface Output {
  /** Number of chunks, of which the header is one, that an earlier process has written. */
  chunks: number;
  write: (lines: string) => Promise<void>;
  finish: () => Promise<void>;
  close: () => Promise<void>;
}

async function openOutput(options: PredictOptions, scores: LabelScores): Promise<Output> {
  const done = (): Promise<void> => Promise.resolve();
  const { output, resume } = options;
  if (output === undefined) return { chunks: 0, write: printData, finish: done, close: done };
  const { ResumableFile } = await import('../predict/resumable-file.js');
  const { file, written } = await ResumableFile.open<LabelScores['state']>(output, {
    identity: identityOf(options),
    resume,
  });
  if (typeof written !== 'string') {
    scores.restore(written.state);
    printMessage(`${output}.part is continued`);
  } else if (resume) printMessage(`${written}: starting at the first row`);
  return {
    chunks: typeof written === 'string' ? 0 : written.chunks,
    write: (lines) => file.append(`${lines}\n`, () => scores.state),
    finish: () => file.finish(),
    close: () => file.close(),
  };
}

/** What the output depends on; of files, their size and the time of their last change. */
function identityOf({
  model,
  input,
  output: _output,
  force: _force,
  resume: _resume,
  ...options
}: PredictOptions): string {
  const fileOf = (path: string): { path: string; size: number; modifiedMs: number } | null => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found ? { path: resolve(path), size: found.size, modifiedMs: found.mtimeMs } : null;
  };
  return sha256Of(canonicalJson({ ...options, model: fileOf(model), input: fileOf(input) }));
}
