import { TokenizerError } from './errors.js';
import { mostMerges } from './largest-tokenizer.js';
import { linesOf } from './tokenizer-files.js';

/** Far more than a vocabulary of words needs: RoBERTa's takes a few million. Long tokens make the search quadratic. */
const mostSteps = 100_000_000;

/** Two tokens that byte-level BPE joins; earlier merges have priority. */
export type Merge = [string, string];

/** Parses a merges.txt: after an optional `#version` line, each line has two tokens separated by a space. */
export function parseMerges(file: string, text: string): Merge[] {
  const lines = linesOf(file, text, mostMerges);
  return lines.flatMap((line, index): Merge[] => {
    if (line === '' || (index === 0 && line.startsWith('#version'))) return [];
    const [left, right, ...more] = line.split(' ');
    if (!left || !right || more.length > 0) {
      throw new TokenizerError(`${file}:${index + 1}: ${JSON.stringify(line)} is not two tokens separated by a space`);
    }
    return [[left, right]];
  });
}

/**
 * Reconstructs the merges of a byte-level BPE vocabulary whose ids are in merge order: the earlier merges must split each token
 * into exactly two parts. This is needed because NeMo's RoBERTa archives contain no merges.txt.
 *
 * @throws TokenizerError when the ids are in another order, such as by frequency in the original RoBERTa
 */
export function mergesFromVocabulary(
  file: string,
  vocabulary: ReadonlyMap<string, number>,
  special: ReadonlySet<string>,
): Merge[] {
  const tokens = [...vocabulary].sort(([, a], [, b]) => a - b).map(([token]) => token);
  const merges: Merge[] = [];
  const ranks = new Map<string, number>();
  let steps = 0;
  for (const token of tokens) {
    if (special.has(token) || [...token].length === 1) continue;
    // Each merge reads all parts, of which it leaves one fewer.
    steps += token.length ** 2;
    if (steps > mostSteps) {
      throw new TokenizerError(`${file}: the merges cannot be reconstructed: its tokens are too long`, {
        hint: 'provide its merges.txt (--tokenizer DIR, or next to vocab.json)',
      });
    }
    const parts = applyMerges([...token], ranks);
    const [left, right] = parts;
    if (parts.length !== 2 || left === undefined || right === undefined) {
      throw new TokenizerError(
        `${file}: the merges cannot be reconstructed: the earlier merges split ${JSON.stringify(token)} into ` +
          `${parts.length} parts (${parts.slice(0, 8).join(' ')}), not 2`,
        {
          hint: 'the ids of this vocabulary are not in merge order: provide its merges.txt (--tokenizer DIR, or next to vocab.json)',
        },
      );
    }
    ranks.set(`${left} ${right}`, merges.length);
    merges.push([left, right]);
  }
  return merges;
}

/** Applies the earliest applicable merge until none applies. */
function applyMerges(parts: string[], ranks: ReadonlyMap<string, number>): string[] {
  for (;;) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Infinity;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts;
    parts = [...parts.slice(0, at), `${parts[at]}${parts[at + 1]}`, ...parts.slice(at + 2)];
  }
}
