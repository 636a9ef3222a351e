import { readExamples, readLines, type TextSource } from '@nautil/datasets';
import { chunksOf } from './chunks.js';
import { printMessage } from './output.js';
import { isRegularFile } from './regular-file.js';
import { SkippedLines } from './skipped-lines.js';

export interface InputTexts {
  /** Path of a file; `-` is standard input. */
  input: string;

  /** text: one text per line; tsv: a labelled file in NeMo's layout, whose faulty lines are reported and skipped. */
  inputFormat: 'text' | 'tsv';
}

/**
 * The texts of a command's input, in chunks. A chunk of a pipe or a terminal holds what has arrived, so that each result is
 * written promptly. The chunks of a regular file do not depend on timing, so that its results are the same every time.
 *
 * @param batching.batchSize - chunks consist of batches of this size
 * @param batching.fullBatches - waits for full batches of a pipe, too: a batch determines the results of its texts
 */
export async function* inputTexts(
  options: InputTexts,
  batching: { batchSize?: number; fullBatches?: boolean } = {},
): AsyncGenerator<string[]> {
  const { input } = options;
  const { batchSize = 1, fullBatches = false } = batching;
  const prompt = !fullBatches && !isRegularFile(input);
  const source = input === '-' ? { name: 'standard input', bytes: process.stdin } : input;
  try {
    yield* chunksOf(textsOf(source, options), { prompt, multipleOf: batchSize });
  } finally {
    // After an error, a pending read would keep the process alive until the writer closes the pipe.
    if (input === '-') process.stdin.destroy();
  }
}

/** The end of a line of NeMo's labelled files. */
const endsInLabel = /\t-?\d+\s*$/;

async function* textsOf(source: TextSource, { inputFormat }: InputTexts): AsyncGenerator<string> {
  if (inputFormat === 'text') {
    // A tab, a lone \r, U+2028 and U+0085 belong to a text.
    let isFirst = true;
    for await (const lines of readLines(source, { lineEnds: 'newline' })) {
      if (isFirst && lines.some((line) => line !== '') && lines.every((line) => line === '' || endsInLabel.test(line)))
        printMessage(
          'note: every line ends in a tab and a number, which become part of the text; with --input-format tsv they are a label',
        );
      isFirst = false;
      yield* lines;
    }
    return;
  }
  const skipped = new SkippedLines(typeof source === 'string' ? source : source.name, printMessage);
  try {
    for await (const line of readExamples(source)) {
      if ('text' in line) yield line.text;
      else skipped.add(line);
    }
  } finally {
    skipped.end();
  }
}
