import { TokenizerError } from './errors.js';

/** Two tokens that byte-level BPE joins; earlier merges go first. */
export type Merge = [string, string];

/** Reads a merges.txt: one merge a line, two tokens with a space between, after an optional `#version` line. */
export function parseMerges(file: string, text: string): Merge[] {
  const lines = text.split(/\r?\n/);
  return lines.flatMap((line, index): Merge[] => {
    if (line === '' || (index === 0 && line.startsWith('#version'))) return [];
    const [left, right, ...more] = line.split(' ');
    if (!left || !right || more.length > 0) {
      throw new TokenizerError(`${file}:${index + 1}: ${JSON.stringify(line)} is not two tokens with a space between`);
    }
    return [[left, right]];
  });
}

/**
 * Rebuilds the merges of a byte-level BPE vocabulary whose ids are in the order of the merges: each token must split in two by
 * the merges before it. NeMo's RoBERTa archives hold no merges.txt.
 *
 * @throws TokenizerError when one doesn't (ids in another order, such as by frequency in the original RoBERTa).
 */
export function mergesFromVocabulary(
  file: string,
  vocabulary: ReadonlyMap<string, number>,
  special: ReadonlySet<string>,
): Merge[] {
  const tokens = [...vocabulary].sort(([, a], [, b]) => a - b).map(([token]) => token);
  const merges: Merge[] = [];
  const ranks = new Map<string, number>();
  for (const token of tokens) {
    if (special.has(token) || [...token].length === 1) continue;
    const parts = applyMerges([...token], ranks);
    const [left, right] = parts;
    if (parts.length !== 2 || left === undefined || right === undefined) {
      throw new TokenizerError(
        `${file}: the merges can't be rebuilt: by the merges before it, ${JSON.stringify(token)} splits into ` +
          `${parts.length} parts (${parts.slice(0, 8).join(' ')}), not 2`,
        {
          hint: "this vocabulary's ids are not in the order of its merges: give its merges.txt (--tokenizer DIR, or beside vocab.json)",
        },
      );
    }
    ranks.set(`${left} ${right}`, merges.length);
    merges.push([left, right]);
  }
  return merges;
}

/** Joins neighbours by the earliest merge until none applies. */
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
