import { isUtf8 } from 'node:buffer';
import { graphemeClusters } from './grapheme-clusters.js';

/** Longer clusters are replaced character by character, as in the Rust library. */
const longestClusterBytes = 5;

/** Replacements of single characters that are kept. A text has few different ones. */
const mostMemorized = 1 << 16;

/**
 * The normalization of a SentencePiece model (`normalizer_spec.precompiled_charsmap`): a double-array trie (Darts-clone) of UTF-8
 * texts, and their replacements, each of which ends with a zero byte.
 *
 * It replaces as the Rust crate `spm_precompiled` does: a grapheme cluster of at most five bytes whose beginning is in the trie is
 * replaced as a whole, by the replacement of the shortest such beginning; of other clusters, each character.
 * `@huggingface/tokenizers` 0.2.0 ignores the map, and approximates it with NFKC.
 */
export class PrecompiledCharsmap {
  readonly #units: Uint32Array;
  readonly #replacements: Buffer;
  readonly #memo = new Map<string, string | undefined>();

  /** UTF-16 units of the longest replacement. */
  readonly longestReplacement: number;

  /** @throws RangeError when the bytes are not a character map */
  constructor(bytes: Uint8Array) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const trieBytes = buffer.length >= 4 ? buffer.readUInt32LE(0) : Infinity;
    if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > buffer.length) {
      throw new RangeError('the character map has no complete trie');
    }
    this.#units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) => buffer.readUInt32LE(4 + index * 4));
    this.#replacements = buffer.subarray(4 + trieBytes);
    if (!isUtf8(this.#replacements)) throw new RangeError('the replacements of the character map are not UTF-8');
    this.longestReplacement = this.#replacements
      .toString()
      .split('\0')
      .reduce((longest, { length }) => Math.max(longest, length), 0);
  }

  /** Replaces what the map contains. */
  normalize(text: string): string {
    let normal = '';
    for (const cluster of graphemeClusters(text)) {
      normal += this.#replacementOfCluster(cluster) ?? this.#normalizeCharacters(cluster);
    }
    return normal;
  }

  #replacementOfCluster(cluster: string): string | undefined {
    return Buffer.byteLength(cluster) <= longestClusterBytes ? this.#replacementOf(cluster) : undefined;
  }

  #normalizeCharacters(cluster: string): string {
    let normal = '';
    for (const char of cluster) normal += this.#replacementOf(char) ?? char;
    return normal;
  }

  #replacementOf(text: string): string | undefined {
    if (this.#memo.has(text)) return this.#memo.get(text);
    const replacement = this.#find(Buffer.from(text));
    if (this.#memo.size < mostMemorized) this.#memo.set(text, replacement);
    return replacement;
  }

  /** The replacement of the shortest beginning of a text that the trie has. */
  #find(key: Buffer): string | undefined {
    let node = offsetOf(this.#units[0] ?? 0);
    for (const byte of key) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = this.#units[node];
      if (unit === undefined || labelOf(unit) !== byte) return undefined;
      node ^= offsetOf(unit);
      if (hasLeaf(unit)) return this.#replacementAt(leafValue(this.#units[node] ?? 0));
    }
    return undefined;
  }

  #replacementAt(start: number): string {
    const end = this.#replacements.indexOf(0, start);
    return this.#replacements.toString('utf8', start, end < 0 ? this.#replacements.length : end);
  }
}

// A unit of Darts-clone: https://github.com/s-yata/darts-clone, DoubleArrayUnit.
const hasLeaf = (unit: number): boolean => ((unit >>> 8) & 1) === 1;
const leafValue = (unit: number): number => unit & 0x7fffffff;
const labelOf = (unit: number): number => (unit & 0x800000ff) >>> 0;
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
