import type { Command } from 'commander';
import { exitCodes, NautilError } from '@nautil/contracts';
import { contentOf } from '../content-of.js';
import { examples } from '../help.js';
import { positiveInteger } from '../option-values.js';
import { printJson, printMessage, printResult } from '../output.js';

interface InspectFlags {
  json?: true;
  labels?: string;
  numClasses?: number;
  tokenizer?: string;
  maxLength: number;
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('show the content of an archive, a checkpoint or a data file')
    .description(
      'Shows the content of a .nemo archive (encoder, labels, scores, lineage, configuration, files, tensors), the content and the ' +
        'mistakes of a TSV of labelled texts, or the names and shapes of the tensors in a checkpoint or a file of weights. The exit code is 3 when a model can’t be trained on the TSV.',
    )
    .argument(
      '<file>',
      'a .nemo archive, of Nautil or of NeMo, a file of tensors (.ckpt, .pt, .safetensors), or NeMo’s TSV',
    )
    .option('--json', 'print everything as JSON')
    .option('--labels <file>', 'TSV: names of the classes, one per line; their number must be that of the classes')
    .option('--num-classes <n>', 'TSV: report labels that are not below this number as errors', positiveInteger)
    .option('--tokenizer <folder>', 'TSV: also count tokens, with the tokenizer of this folder or model')
    .option('--max-length <tokens>', 'TSV: the length to which training truncates texts', positiveInteger, 256)
    .addHelpText('after', examples('inspect sst2.nemo', 'inspect train.tsv --tokenizer bert-base-uncased'))
    .action(async (file: string, flags: InspectFlags) => {
      const content = await contentOf(file);
      if (content === 'archive' || /\.nemo$/i.test(file)) await inspectArchive(file, flags);
      else if (content === 'tensors') await inspectTensors(file, flags);
      else await inspectData(file, flags);
    });
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
  const { findEncoder } = await import('@nautil/formats/encoder');
  const { loadTokenizer, requireSupportedTokenizer } = await import('@nautil/tokenization');
  requireSupportedTokenizer(name);
  const tokenizer = await loadTokenizer({ folder: await findEncoder(name), name });
  for (const note of [...tokenizer.notes, ...tokenizer.warnings]) printMessage(note);
  return { countTokens: (text: string) => tokenizer.encode(text).length, maxLength };
}
