import { createReadStream } from 'node:fs';
import { defineError } from '@nautil/contracts';
import { printMessage } from './output.js';
import { textLines } from './text-lines.js';

export interface InputTexts {
  /** Path of a file; `-` is standard input. */
  input: string;

  /** text: one text per line; tsv: a labelled file in NeMo's layout, whose faulty lines are reported and skipped. */
  inputFormat: 'text' | 'tsv';
}

/** A file that was named on the command line can't be read. */
class InputUnreadable extends defineError('InputUnreadable', 'data') {}

/** The texts of a command's input, one by one. */
export async function* inputTexts({ input, inputFormat }: InputTexts): AsyncGenerator<string> {
  if (inputFormat === 'tsv') {
    const { readExamples } = await import('@nautil/datasets');
    for await (const line of readExamples(input)) {
      if ('text' in line) yield line.text;
      else printMessage(`${input}:${line.line}: skipped: ${line.reason}`);
    }
    return;
  }
  try {
    yield* textLines(input === '-' ? process.stdin : createReadStream(input));
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw new InputUnreadable(`${input} can't be read: ${error.message}`, { hint: 'check the path', cause: error });
    throw error;
  }
}
