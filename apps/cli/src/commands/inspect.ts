import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { counted, exitCodes, NautilError, UsageError } from '@nautil/contracts';
import type { DataSplit } from '@nautil/datasets/tables';
import { requireOutput } from '@nautil/store';
import { addColumnOptions, type ColumnFlags, namesColumns, surveyOptions } from '../column-options.js';
import { contentOf } from '../content-of.js';
import { examples, forceOption, requireForced } from '../help.js';
import { positiveInteger } from '../option-values.js';
import { printJson, printMessage, printResult } from '../output.js';
import type { SuspectedLabels } from '../suspected-labels.js';

interface InspectFlags extends ColumnFlags {
  json?: true;
  examples?: number;
  labels?: string;
  numClasses?: number;
  tokenizer?: string;
  maxLength: number;
  model?: string;
  output?: string;
  force?: true;
  skipUnknownLabels?: true;
  all?: true;
}

export function addInspect(program: Command): void {
  const command = program
    .command('inspect')
    .summary('show the content of an archive, a checkpoint or data files')
    .description(
      'Shows the content of a .nemo archive (encoder, labels, scores, lineage, configuration, files, tensors), the content and the ' +
        'mistakes of labelled texts (NeMo’s TSV, or a table: CSV, TSV, JSON Lines, JSON, Parquet, a folder of these, or a folder of texts for each class), or the names and shapes of the tensors in a checkpoint or a file of weights. The exit code is 3 when a model can’t be trained on the texts.',
    )
    .argument(
      '<files...>',
      'a .nemo archive, of Nautil or of NeMo, a file of tensors (.ckpt, .pt, .safetensors), or labelled texts: the training file, then the validation and the test file',
    )
    .option('--json', 'print everything as JSON')
    .option('--labels <file>', 'texts: names of the classes, one per line; their number must be that of the classes')
    .option('--num-classes <n>', 'texts: report labels that are not below this number as errors', positiveInteger)
    .option('--tokenizer <folder>', 'texts: also count tokens, with the tokenizer of this folder or model')
    .option('--max-length <tokens>', 'NeMo’s TSV: the length to which training truncates texts', positiveInteger, 256)
    .option(
      '--examples <n>',
      'texts: show the first texts of each class, and so many suspected labels',
      positiveInteger,
    )
    .option(
      '--model <file>',
      'texts: also classify them with this archive or checkpoint, and list by class the labels that are probably wrong',
    )
    .option('--all', 'tables: list all texts that occur more than once, not only the first five of each kind')
    .option('--output <file>', 'with --model: write the suspected labels to a table (.csv, .tsv or .jsonl)')
    .addOption(forceOption())
    .option('--skip-unknown-labels', 'with --model: leave out and count labels that the model does not know');
  addColumnOptions(command)
    .addHelpText(
      'after',
      examples(
        'inspect sst2.nemo',
        'inspect train.csv dev.csv --examples 3',
        'inspect train.tsv --tokenizer bert-base-uncased',
        'inspect train.csv --model models/reviews.nemo --output suspects.csv',
      ),
    )
    .action(async (files: [string, ...string[]], flags: InspectFlags) => {
      const [file] = files;
      const content = files.length === 1 ? await contentOf(file) : 'other';
      requireModel(flags, content);
      if (content === 'archive' || (files.length === 1 && /\.nemo$/i.test(file))) await inspectArchive(file, flags);
      else if (content === 'tensors') await inspectTensors(file, flags);
      else if (await areTables(files, flags)) await inspectTables(files, flags);
      else await inspectData(file, flags);
    });
}

/** @throws UsageError for options of suspected labels that would have no effect */
function requireModel({ model, output, force, skipUnknownLabels }: InspectFlags, content: string): void {
  requireForced(force, { path: output, option: '--output' });
  const given = output !== undefined ? '--output' : skipUnknownLabels === true ? '--skip-unknown-labels' : undefined;
  if (model === undefined && given !== undefined)
    throw new UsageError(`${given} is for the suspected labels, which need a model`, {
      hint: 'add --model FILE.nemo',
    });
  if (model !== undefined && content !== 'other')
    throw new UsageError('--model finds suspected labels in labelled texts, and the file has none', {
      hint: 'name the training file: npx nautil inspect train.csv --model FILE.nemo',
    });
}

/** Whether files are inspected as tables: NeMo's TSV is, beside another file or to show examples. */
async function areTables(files: readonly string[], flags: InspectFlags): Promise<boolean> {
  const { isNemoFile, openTable } = await import('@nautil/datasets/tables');
  const [file = ''] = files;
  if (files.length > 1 || namesColumns(flags) || flags.model !== undefined || flags.all) return true;
  if ((await stat(file).catch(() => undefined))?.isDirectory() === true) return true;
  return flags.examples === undefined && (await isNemoFile(file)) ? false : (await openTable(file)) !== undefined;
}

async function inspectTables(files: readonly string[], flags: InspectFlags): Promise<void> {
  const { formatTableInspection, inspectTables: inspect, tablesAt } = await import('@nautil/datasets/tables');
  const [train = '', validation, test, ...others] = files;
  if (others.length > 0) {
    throw new UsageError(`${files.length} files are too many: a run has a training, a validation and a test file`, {
      hint: 'put shards into a folder, and name the folder',
    });
  }
  const paths = {
    ...(await tablesAt(train)),
    ...(validation === undefined ? {} : { validation: [validation] }),
    ...(test === undefined ? {} : { test: [test] }),
  };
  const { exampleList } = await import('../example-list.js');
  const list = flags.output === undefined ? undefined : exampleList(flags.output, { other: 'suggested_label' });
  if (flags.output !== undefined)
    requireOutput(flags.output, {
      inputs: [...Object.values(paths).flat(), flags.model, flags.labels, flags.tokenizer],
      force: flags.force === true,
    });
  const inspection = await inspect({
    ...surveyOptions(flags),
    paths,
    ...(flags.examples === undefined ? {} : { examples: flags.examples }),
    ...(flags.all ? { places: Infinity } : {}),
    ...(flags.tokenizer === undefined
      ? {}
      : { countTokens: (await tokenCounting(flags.tokenizer, flags.maxLength)).countTokens }),
  });
  const suspected = flags.model === undefined ? undefined : await suspectedIn(paths, flags.model, flags);
  if (flags.json) await printJson({ ...inspection, ...(suspected ? { suspectedLabels: suspected } : {}) });
  else await printResult(formatTableInspection(inspection));
  if (!suspected || flags.model === undefined) return;
  const { formatSuspectedLabels } = await import('../suspected-labels.js');
  if (!flags.json)
    await printResult(formatSuspectedLabels(suspected, { model: flags.model, shown: flags.examples ?? 5 }));
  if (flags.output === undefined || !list) return;
  const suspects = suspected.flatMap((split) => split.suspects);
  await list.write(suspects);
  printMessage(`${flags.output}: ${counted(suspects.length, 'suspected label')}`);
}

/** The labels of each split that a model doubts. */
async function suspectedIn(
  paths: Partial<Record<DataSplit, string[]>>,
  model: string,
  flags: InspectFlags,
): Promise<SuspectedLabels[]> {
  const { dataSplits } = await import('@nautil/datasets/tables');
  const { Classifier } = await import('@nautil/training');
  const { findSuspectedLabels } = await import('../suspected-labels.js');
  const classifier = await Classifier.open(model, { engine: 'auto' });
  try {
    for (const note of classifier.notes) printMessage(note);
    const found: SuspectedLabels[] = [];
    for (const split of dataSplits) {
      const some = paths[split];
      if (some === undefined) continue;
      const skipsUnknown = flags.skipUnknownLabels === true;
      found.push(await findSuspectedLabels(classifier, { split, paths: some, columns: flags, skipsUnknown }));
    }
    return found;
  } finally {
    classifier.close();
  }
}

async function inspectArchive(file: string, { json }: InspectFlags): Promise<void> {
  const { describeNemo } = await import('@nautil/formats/nemo');
  const { formatArchive } = await import('../format-archive.js');
  const { classifierNotes } = await import('@nautil/training');
  const description = await describeNemo(file);
  // The description of an archive that no classifier can be opened from (a Megatron encoder, say) is still useful.
  const notes = await classifierNotes(file).catch((error: unknown) => {
    if (error instanceof NautilError) return [`the casing of its tokenizer is unknown: ${error.message}`];
    throw error;
  });
  for (const note of notes) printMessage(note);
  if (json) await printJson(description);
  else await printResult(formatArchive(description));
}

async function inspectTensors(file: string, { json }: InspectFlags): Promise<void> {
  const { openTensors } = await import('@nautil/formats');
  const { formatTensors } = await import('../format-archive.js');
  const source = await openTensors(file);
  try {
    const { format, metadata } = source;
    const tensors = source.names().map((name) => ({ name, ...source.info(name) }));
    const description = { path: file, format, metadata, tensors };
    if (json) await printJson(description);
    else await printResult(formatTensors(description));
  } finally {
    await source.close();
  }
}

async function inspectData(file: string, flags: InspectFlags): Promise<void> {
  const { formatInspection, inspectTsv, readLabelNames } = await import('@nautil/datasets');
  const inspection = await inspectTsv(file, {
    ...(flags.labels === undefined ? {} : { labelNames: await readLabelNames(flags.labels), labelsFile: flags.labels }),
    ...(flags.numClasses === undefined ? {} : { numClasses: flags.numClasses }),
    ...(flags.tokenizer === undefined ? {} : await tokenCounting(flags.tokenizer, flags.maxLength)),
  });
  if (flags.json) await printJson(inspection);
  else await printResult(formatInspection(inspection));
  if (!inspection.trainable) process.exitCode = exitCodes.data;
}

async function tokenCounting(name: string, maxLength: number) {
  const { findModel } = await import('../find-model.js');
  const { loadTokenizer, requireSupportedTokenizer } = await import('@nautil/tokenization');
  requireSupportedTokenizer(name);
  const tokenizer = await loadTokenizer({ folder: await findModel(name), name });
  for (const note of [...tokenizer.notes, ...tokenizer.warnings]) printMessage(note);
  return {
    countTokens: (text: string, textPair?: string) =>
      textPair === undefined ? tokenizer.encode(text).length : tokenizer.encodePair(text, textPair).ids.length,
    maxLength,
  };
}
