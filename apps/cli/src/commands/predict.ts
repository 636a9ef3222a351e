import { once } from 'node:events';
import type { Prediction } from '@nautil/training';
import { Option, type Command } from 'commander';
import { inputTexts } from '../input-texts.js';
import { examples } from '../program.js';
import { wholeNumber } from '../whole-number.js';

interface PredictOptions {
  model: string;
  input: string;
  inputFormat: 'text' | 'tsv';
  format: 'tsv' | 'jsonl';
  tokenizer?: string;
  batchSize: number;
}

/** Texts that are classified at a time: memory stays flat, and a pipe gets its answers early. */
const chunkTexts = 512;

export function register(program: Command): void {
  program
    .command('predict')
    .description('Classifies texts with a .nemo archive; needs no server.')
    .requiredOption('--model <file>', 'a .nemo archive, of Nautil or of NeMo')
    .requiredOption('--input <file>', 'one text a line (ended by \\n or \\r\\n); - is standard input')
    .addOption(
      new Option('--input-format <format>', 'tsv: a labelled file in NeMo’s layout')
        .choices(['text', 'tsv'])
        .default('text'),
    )
    .addOption(
      new Option('--format <format>', 'tsv: the text, a tab, the label id; jsonl: with label, scores and logits')
        .choices(['tsv', 'jsonl'])
        .default('tsv'),
    )
    .option('--tokenizer <folder>', 'tokenizer files for an archive that lacks some (RoBERTa’s merges)')
    .option('--batch-size <rows>', 'texts computed at a time', wholeNumber, 32)
    .addHelpText(
      'after',
      `${examples(
        'predict --model sst2.nemo --input reviews.txt --format jsonl > answers.jsonl',
        'predict --model sst2.nemo --input dev.tsv --input-format tsv',
        'predict --model sst2.nemo --input - < reviews.txt',
      )}

One line is written for each text, in order, to standard output; everything else goes to standard error.`,
    )
    .action(predict);
}

async function predict(options: PredictOptions): Promise<void> {
  const { Classifier } = await import('@nautil/training');
  const classifier = await Classifier.open(options.model, {
    tokenizerFolder: options.tokenizer,
    batchSize: options.batchSize,
  });
  try {
    for (const note of classifier.notes) process.stderr.write(`${note}\n`);
    const write = options.format === 'jsonl' ? jsonLine : tsvLine;
    let chunk: string[] = [];
    const answer = async (): Promise<void> => {
      const predictions = await classifier.predict(chunk);
      const lines = predictions.map((prediction, i) => write(chunk[i]!, prediction)).join('');
      chunk = [];
      if (!process.stdout.write(lines)) await once(process.stdout, 'drain');
    };
    for await (const text of inputTexts(options)) if (chunk.push(text) === chunkTexts) await answer();
    if (chunk.length > 0) await answer();
  } finally {
    classifier.close();
  }
}

const jsonLine = (text: string, { labelId, label, scores, logits }: Prediction): string =>
  `${JSON.stringify({ text, label_id: labelId, label, scores, logits })}\n`;

const tsvLine = (text: string, { labelId }: Prediction): string => `${text}\t${labelId}\n`;
