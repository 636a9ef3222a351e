/** Longer words are rare and make the memo's size hard to tell. */
const maxWordLength = 64;

/**
 * Remembers what words became, within a bound: text repeats its words, so that most are looked up, not tokenised. Two
 * generations stand in for least-recently-used: when the young one is full it becomes the old one, which is forgotten.
 */
export class WordMemo<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  readonly #generationSize: number;

  constructor(capacity = 1 << 17) {
    this.#generationSize = Math.max(1, capacity >> 1);
  }

  /** The remembered value, or that of `make`, which is remembered. */
  get(word: string, make: (word: string) => T): T {
    const young = this.#young.get(word);
    if (young !== undefined) return young;
    const value = this.#old.get(word) ?? make(word);
    if (word.length > maxWordLength) return value;
    if (this.#young.size >= this.#generationSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(word, value);
    return value;
  }

  /** Words held now. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
