import { byteToken } from './byte-token.js';
import { PieceTrie } from './piece-trie.js';

/** How much less likely an unknown character is than the least likely token. */
const unknownPenalty = 10;

/** The tokens of a text that a path ends at, as typed arrays by the place in the text (UTF-16 code units). */
class Paths {
  /** The log probability of the best path to a place. */
  readonly scores: Float64Array;

  /** Where the last token of that path starts; -1 for a place that no path reaches. */
  readonly starts: Int32Array;

  /** The last token of that path. */
  readonly tokens: Int32Array;

  constructor(length: number) {
    this.scores = new Float64Array(length + 1);
    this.starts = new Int32Array(length + 1).fill(-1);
    this.tokens = new Int32Array(length + 1);
  }

  /** Takes a token from `start` to `end` if that is the first or the most likely path to `end`. */
  offer(start: number, end: number, token: number, score: number): void {
    const total = score + (this.scores[start] ?? 0);
    if (this.starts[end] !== -1 && total <= (this.scores[end] ?? 0)) return;
    this.scores[end] = total;
    this.starts[end] = start;
    this.tokens[end] = token;
  }
}

/**
 * Kudo's unigram language model: the most likely division of a text into tokens, found by Viterbi's algorithm in
 * O(length × longest token). It follows `Unigram::encode_optimized` of the Rust library.
 *
 * `@huggingface/tokenizers` 0.2.0 differs: it joins unknown characters of neighbouring words to one unknown token, it gives the
 * unknown token's own text another score, and it ignores `byte_fallback`. For XLM-R's vocabulary it also needs seconds and
 * hundreds of megabytes.
 */
export class Unigram {
  readonly #trie = new PieceTrie();
  readonly #ids = new Map<string, number>();
  readonly #scores: Float64Array;
  readonly #unknownId: number;
  readonly #unknownScore: number;
  readonly #byteIds: readonly (number | undefined)[];

  /** @param vocabulary - tokens with their log probabilities, by id */
  constructor(vocabulary: readonly (readonly [string, number])[], unknownId: number, byteFallback: boolean) {
    this.#scores = Float64Array.from(vocabulary, ([, score]) => score);
    let lowest = Infinity;
    vocabulary.forEach(([token, score], id) => {
      this.#trie.add(token, id);
      this.#ids.set(token, id);
      lowest = Math.min(lowest, score);
    });
    this.#unknownId = unknownId;
    this.#unknownScore = lowest - unknownPenalty;
    this.#byteIds = byteFallback ? byteIdsIn(this.#ids) : [];
  }

  /** The ids of the most likely tokens. Adjacent unknown characters are one unknown token, or one token for each of their bytes. */
  idsOf(text: string): number[] {
    const { starts, tokens } = this.#paths(text);
    const reversed: number[] = [];
    for (let end = text.length; end > 0;) {
      let start = starts[end] ?? 0;
      if (tokens[end] !== this.#unknownId) {
        reversed.push(tokens[end] ?? 0);
      } else {
        while (start > 0 && tokens[start] === this.#unknownId) start = starts[start] ?? 0;
        this.#pushUnknown(text.slice(start, end), reversed);
      }
      end = start;
    }
    return reversed.reverse();
  }

  #paths(text: string): Paths {
    const paths = new Paths(text.length);
    for (let start = 0; start < text.length;) {
      const single = (text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
      let isSingleKnown = false;
      let node = 0;
      for (let at = start; at < text.length; at++) {
        node = this.#trie.child(node, text.charCodeAt(at));
        if (node === 0) break;
        const token = this.#trie.tokenAt(node);
        if (token === -1) continue;
        paths.offer(start, at + 1, token, this.#scores[token] ?? 0);
        isSingleKnown ||= at + 1 - start === single;
      }
      if (!isSingleKnown) paths.offer(start, start + single, this.#unknownId, this.#unknownScore);
      start += single;
    }
    return paths;
  }

  /** Pushes the ids of a text of unknown characters in reverse. */
  #pushUnknown(text: string, reversed: number[]): void {
    const known = this.#ids.get(text);
    const bytes = known === undefined && this.#byteIds.length > 0 ? [...Buffer.from(text)].reverse() : [];
    const ids = bytes.flatMap((byte) => this.#byteIds[byte] ?? []);
    if (ids.length === 0 || ids.length < bytes.length) reversed.push(known ?? this.#unknownId);
    else for (const id of ids) reversed.push(id);
  }
}

/** The ids of `<0x00>` … `<0xFF>`. */
function byteIdsIn(ids: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) => ids.get(byteToken(byte)));
}
