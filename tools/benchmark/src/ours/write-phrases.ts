import { writeFile } from 'node:fs/promises';
import { readSst2 } from './token-files.js';

/**
 * Writes a file in GLUE's format with as many rows as GLUE's SST-2, which this repository does not contain: its 6,920 sentences, and phrases of
 * them, so that texts have 9 words on average as there. The same in every run.
 *
 * @param count - of rows
 */
export async function writePhrases(path: string, count = 67_349): Promise<void> {
  const sentences = await readSst2('train');
  const random = xorshift(1);
  const rows = Array.from({ length: count }, (_, row) => {
    const { text, label } = sentences[row % sentences.length] ?? { text: '', label: 0 };
    if (row < sentences.length) return `${text}\t${label}`;
    const words = text.split(' ');
    const length = 1 + Math.floor(random() ** 1.5 * words.length);
    const start = Math.floor(random() * (words.length - length + 1));
    return `${words.slice(start, start + length).join(' ')}\t${label}`;
  });
  await writeFile(path, `sentence\tlabel\n${rows.join('\n')}\n`);
}

/** Marsaglia's xorshift: numbers in [0, 1). */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
