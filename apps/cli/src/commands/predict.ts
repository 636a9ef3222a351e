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
  addInputOptions(command)
    .addOption(
      new Option(
        '--format <format>',
        'tsv: the text, a tab, the label id; jsonl: with label, scores and logits, and the precision unless it is float32',
      )
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
  const { tokenizer: tokenizerFolder, batchSize, nemoPadding, engine, precision } = options;
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
    const format = options.format === 'jsonl' ? jsonLineOf(precision) : tsvLine;
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

/** Predictions in float32 are not labelled. */
const jsonLineOf =
  (precision: PredictOptions['precision']) =>
  (text: string, { labelId, label, scores, logits }: Prediction): string =>
    JSON.stringify({
      text,
      label_id: labelId,
      label,
      scores,
      logits,
      ...(precision === 'float32' ? {} : { precision }),
    });

const tsvLine = (text: string, { labelId }: Prediction): string => `${text}\t${labelId}`;
