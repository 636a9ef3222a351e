import type { Command } from 'commander';
import { exitCodes } from '@nautil/contracts';
import { examples } from '../program.js';
import { wholeNumber } from '../whole-number.js';

interface InspectFlags {
  json?: boolean;
  labels?: string;
  numClasses?: number;
  tokenizer?: string;
  maxLength: number;
}

export function register(program: Command): void {
  program
    .command('inspect')
    .summary('show what is in a .nemo archive or a data file')
    .description(
      'Shows what is in a .nemo archive (encoder, head, labels, scores, lineage, configuration, files, tensors), or in a TSV of ' +
        'labelled texts and what is wrong with it. The exit code is 3 when the TSV can’t be trained on.',
    )
    .argument('<file>', 'a .nemo archive, of Nautil or of NeMo; any other file is read as NeMo’s TSV')
    .option('--json', 'print everything as JSON')
    .option('--labels <file>', 'TSV: names of the classes, one a line')
    .option('--num-classes <n>', 'TSV: labels from this number on are errors', wholeNumber)
    .option('--tokenizer <folder>', 'TSV: also count tokens, by this tokenizer')
    .option('--max-length <tokens>', 'TSV: the length that training cuts texts to', wholeNumber, 256)
    .addHelpText('after', examples('inspect sst2.nemo', 'inspect train.tsv --tokenizer bert-base-uncased'))
    .action(async (file: string, flags: InspectFlags) => {
      if (/\.nemo$/i.test(file)) await inspectArchive(file, flags);
      else await inspectData(file, flags);
    });
}

async function inspectArchive(file: string, { json }: InspectFlags): Promise<void> {
  const { describeNemo } = await import('@nautil/formats');
  const { formatArchive } = await import('../format-archive.js');
  const description = await describeNemo(file);
  process.stdout.write(`${json ? JSON.stringify(description, null, 2) : formatArchive(description)}\n`);
}

async function inspectData(file: string, flags: InspectFlags): Promise<void> {
  const { formatInspection, inspectTsv, readLabelNames } = await import('@nautil/datasets');
  const inspection = await inspectTsv(file, {
    ...(flags.labels === undefined ? {} : { labelNames: await readLabelNames(flags.labels) }),
    ...(flags.numClasses === undefined ? {} : { numClasses: flags.numClasses }),
    ...(flags.tokenizer === undefined ? {} : await tokenCounting(flags.tokenizer, flags.maxLength)),
  });
  process.stdout.write(`${flags.json ? JSON.stringify(inspection, null, 2) : formatInspection(inspection)}\n`);
  if (!inspection.trainable) process.exitCode = exitCodes.data;
}

async function tokenCounting(name: string, maxLength: number) {
  const { findEncoder } = await import('@nautil/formats');
  const { loadTokenizer } = await import('@nautil/tokenization');
  const tokenizer = await loadTokenizer({ folder: await findEncoder(name), name });
  return { countTokens: (text: string) => tokenizer.encode(text).length, maxLength };
}
