import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Example } from '@nautil/contracts';
import { buildTokenCache, loadTokenizer } from '@nautil/tokenization';
import { miniLm, sst2 } from '../paths.js';

/** The sentences of a split of SST-2. */
export const readSst2 = (split: 'train' | 'dev' | 'test'): Promise<Example[]> => readGlue(join(sst2, `${split}.tsv`));

/** The sentences of a file in the format of GLUE's SST-2, which has a header. */
export async function readGlue(path: string): Promise<Example[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return lines.slice(1).map((line, index) => {
    const [text = '', label = ''] = line.split('\t');
    return { line: index + 2, text, label: Number(label) };
  });
}

/**
 * Writes a file of `count` lines in NeMo's format: the training sentences, and then, in each further round, their first halves
 * with the second halves of other ones, so that hardly a text occurs twice. peers/tokenize_lines.py writes the same.
 */
export async function writeLines(path: string, count: number): Promise<void> {
  const halves = (await readSst2('train')).map(({ text, label }) => {
    const words = text.split(' ');
    const middle = words.length >> 1;
    return { first: words.slice(0, middle).join(' '), second: `${words.slice(middle).join(' ')}\t${label}\n` };
  });
  const file = await open(path, 'w');
  try {
    for (let round = 0; round * halves.length < count; round++) {
      const lines = halves.map(({ first }, at) => `${first} ${halves[(at + round) % halves.length]?.second ?? ''}`);
      await file.write(lines.slice(0, count - round * halves.length).join(''));
    }
  } finally {
    await file.close();
  }
}

/** Words that are one token each. */
const words = 'the of and to in is was for on that with as by at from his it an are this film story'.split(' ');

/** `count` sentences of exactly `length` tokens, [CLS] and [SEP] included. */
export function syntheticExamples(count: number, length: number): Example[] {
  return Array.from({ length: count }, (_, row) => ({
    line: row + 1,
    text: Array.from({ length: length - 2 }, (_unused, at) => words[(row * 7 + at * 3) % words.length]).join(' '),
    label: row % 2,
  }));
}

/** Tokenises examples with MiniLM's tokenizer, which is bert-base-uncased's, into a token cache. */
export async function writeTokens(out: string, examples: readonly Example[], maxLength = 64): Promise<void> {
  const tokenizer = await loadTokenizer({ folder: miniLm });
  await buildTokenCache({ examples: inTurn(examples), out, tokenizer, maxLength, key: '0'.repeat(64) });
}

// eslint-disable-next-line @typescript-eslint/require-await -- the consumer takes asynchronous sources
async function* inTurn(examples: readonly Example[]): AsyncGenerator<Example> {
  yield* examples;
}
