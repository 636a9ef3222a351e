import { ownCopy } from '@nautil/contracts';

/** Longer words are not cached: they are rare, and the cache is bounded by entries, not bytes. */
const maxWordLength = 64;

/**
 * A bounded cache of values by word; words repeat, so most lookups are hits. Two generations approximate least-recently-used:
 * when the young generation is full, it replaces the old one.
 */
export class WordMemo<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  readonly #generationSize: number;

  constructor(capacity = 1 << 17) {
    this.#generationSize = Math.max(1, capacity >> 1);
  }

  /** Returns the cached value, or caches and returns the value of `make`. */
  get(word: string, make: (word: string) => T): T {
    const young = this.#young.get(word);
    if (young !== undefined) return young;
    const value = this.#old.get(word) ?? make(word);
    if (word.length > maxWordLength) return value;
    if (this.#young.size >= this.#generationSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(ownCopy(word), value);
    return value;
  }

  /** Number of cached words. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
