import { type Command, Option } from 'commander';
import type { Prediction } from '@nautil/training';
import { addInputOptions, examples } from '../help.js';
import { positiveInteger } from '../option-values.js';
import { printData, printMessage } from '../output.js';
import { zip } from '../zip.js';

interface PredictOptions {
  model: string;
  input: string;
  inputFormat: 'text' | 'tsv';
  format: 'tsv' | 'jsonl';
  tokenizer?: string;
  batchSize: number;
  nemoPadding: boolean;
  engine: 'auto' | 'onnxruntime' | 'tensorflow';
}

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('Classifies texts with a .nemo archive or a checkpoint; needs no server.')
    .requiredOption(
      '--model <file>',
      'a .nemo archive, of Nautil or of NeMo, or a checkpoint in the folder of its run',
    );
  addInputOptions(command)
    .addOption(
      new Option('--format <format>', 'tsv: the text, a tab, the label id; jsonl: with label, scores and logits')
        .choices(['tsv', 'jsonl'])
        .default('tsv'),
    )
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
        'what computes, in float32; auto: onnxruntime on the processor, TensorFlow on a GPU, and where onnxruntime cannot be loaded or cannot pad as NeMo does',
      )
        .choices(['auto', 'onnxruntime', 'tensorflow'])
        .default('auto'),
    )
    .addHelpText(
      'after',
      `${examples(
        'predict --model sst2.nemo --input reviews.txt --format jsonl > predictions.jsonl',
        'predict --model sst2.nemo --input dev.tsv --input-format tsv',
        'predict --model sst2.nemo --input - < reviews.txt',
      )}

Writes one line per text, in order, to standard output; everything else goes to standard error.`,
    )
    .action(predict);
}

async function predict(options: PredictOptions): Promise<void> {
  const { Classifier } = await import('@nautil/training');
  const { inputTexts } = await import('../input-texts.js');
  const { tokenizer: tokenizerFolder, batchSize, nemoPadding, engine } = options;
  const classifier = await Classifier.open(options.model, { tokenizerFolder, batchSize, nemoPadding, engine });
  try {
    for (const note of classifier.notes) printMessage(note);
    const format = options.format === 'jsonl' ? jsonLine : tsvLine;
    for await (const texts of inputTexts(options, { batchSize, fullBatches: nemoPadding })) {
      const lines = [...zip(texts, await classifier.predict(texts))].map(([text, prediction]) =>
        format(text, prediction),
      );
      await printData(lines.join('\n'));
    }
  } finally {
    classifier.close();
  }
}

const jsonLine = (text: string, { labelId, label, scores, logits }: Prediction): string =>
  JSON.stringify({ text, label_id: labelId, label, scores, logits });

const tsvLine = (text: string, { labelId }: Prediction): string => `${text}\t${labelId}`;
