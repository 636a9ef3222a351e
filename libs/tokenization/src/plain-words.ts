import type { IdList } from './id-list.js';

/** Longer words are not stored: they are rare, and take the room of many others. */
export const longestPlainWord = 32;

/**
 * Places that are tried for a word. Half of the table is free, so that words hardly ever need as many; words that somebody has chosen
 * for their equal hashes would need thousands, and are not stored.
 */
const mostTries = 64;

/**
 * The ids of words in printable ASCII. A word is looked up by its place in a text, so that a hit creates no string: a substring
 * for each word takes longer than all the rest. Memory is bounded: when there is no more room, the table starts again empty, and
 * the frequent words are soon back.
 */
export class PlainWords {
  /** Number of the word + 1 at each place of an open-addressing hash table; 0 is a free place. */
  readonly #places: Uint32Array;
  readonly #hashes: Int32Array;

  /** The ends of the words in `#units`, and of their ids in `#ids`; each starts where the one before ends. */
  readonly #unitEnds: Uint32Array;
  readonly #idEnds: Uint32Array;
  readonly #units: Uint8Array;
  readonly #ids: Uint32Array;
  #count = 0;

  constructor(capacity = 1 << 16) {
    let places = 2;
    while (places < capacity * 2) places *= 2;
    this.#places = new Uint32Array(places);
    this.#hashes = new Int32Array(capacity + 1);
    this.#unitEnds = new Uint32Array(capacity + 1);
    this.#idEnds = new Uint32Array(capacity + 1);
    this.#units = new Uint8Array(capacity * 12 + longestPlainWord);
    this.#ids = new Uint32Array(capacity * 4 + longestPlainWord);
  }

  /** Number of words. */
  get size(): number {
    return this.#count;
  }

  /**
   * Appends the ids of a known word to a list; false for an unknown one.
   *
   * @param units - UTF-16 code units that have the word from `start` to `end`
   * @param hash - as `nextHash` makes it of the word's units
   */
  appendIds(units: Uint16Array, start: number, end: number, hash: number, ids: IdList): boolean {
    const mask = this.#places.length - 1;
    for (let tries = 0; tries < mostTries; tries++) {
      const word = this.#places[(placeOf(hash) + tries) & mask] ?? 0;
      if (word === 0) return false;
      if (this.#hashes[word] !== hash || !this.#equals(word, units, start, end)) continue;
      const last = this.#idEnds[word] ?? 0;
      let at = this.#idEnds[word - 1] ?? 0;
      ids.reserve(last - at);
      while (at < last) ids.values[ids.length++] = this.#ids[at++] ?? 0;
      return true;
    }
    return false;
  }

  /** Stores an unknown word of at most `longestPlainWord` units in printable ASCII; a space may be before it. */
  add(word: string, hash: number, ids: readonly number[]): void {
    if (ids.length > longestPlainWord) return;
    if (this.#isFull()) {
      this.#places.fill(0);
      this.#count = 0;
    }
    const place = this.#freePlace(hash);
    if (place === undefined) return;
    const number = ++this.#count;
    let unitsEnd = this.#unitEnds[number - 1] ?? 0;
    for (let at = 0; at < word.length; at++) this.#units[unitsEnd++] = word.charCodeAt(at);
    let idsEnd = this.#idEnds[number - 1] ?? 0;
    for (const id of ids) this.#ids[idsEnd++] = id;
    this.#unitEnds[number] = unitsEnd;
    this.#idEnds[number] = idsEnd;
    this.#hashes[number] = hash;
    this.#places[place] = number;
  }

  #freePlace(hash: number): number | undefined {
    const mask = this.#places.length - 1;
    for (let tries = 0; tries < mostTries; tries++) {
      const place = (placeOf(hash) + tries) & mask;
      if (this.#places[place] === 0) return place;
    }
    return undefined;
  }

  #isFull(): boolean {
    return (
      this.#count + 1 >= this.#hashes.length ||
      (this.#unitEnds[this.#count] ?? 0) + longestPlainWord > this.#units.length ||
      (this.#idEnds[this.#count] ?? 0) + longestPlainWord > this.#ids.length
    );
  }

  #equals(word: number, units: Uint16Array, start: number, end: number): boolean {
    let at = this.#unitEnds[word - 1] ?? 0;
    if ((this.#unitEnds[word] ?? 0) - at !== end - start) return false;
    for (let i = start; i < end; i++) if (units[i] !== this.#units[at++]) return false;
    return true;
  }
}

/** The hash of a word from that of the units before the last; 0 for none (FNV-1a). */
export const nextHash = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193);

/** FNV's low bits depend little on the first units. */
const placeOf = (hash: number): number => hash ^ (hash >>> 15);
