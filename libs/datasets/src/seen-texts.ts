import { hash } from 'node:crypto';

/** Texts remembered at most: 16 bytes each at half load, 128 MiB. */
const maxTexts = 1 << 22;

/** Where a text was first seen. */
export interface FirstSight {
  line: number;
  label: number;
}

/**
 * Remembers texts by 64-bit digests, to find those that come again: a hash table in typed arrays, which stops taking new ones at
 * a bound. Among four million texts two different ones share a digest with a probability of one in two million.
 */
export class SeenTexts {
  #digests = new Uint32Array(2 * 1024);
  #lines = new Uint32Array(1024);
  #labels = new Int32Array(1024);
  #count = 0;
  #full = false;
  readonly #limit: number;

  constructor(limit = maxTexts) {
    this.#limit = limit;
  }

  /** Where the text was first seen; undefined the first time. */
  add(text: string, here: FirstSight): FirstSight | undefined {
    const [high, low] = digestOf(text);
    const at = this.#find(high, low);
    if (this.#lines[at] !== 0) return { line: this.#lines[at] ?? 0, label: this.#labels[at] ?? 0 };
    if (this.#count >= this.#limit) {
      this.#full = true;
      return undefined;
    }
    this.#put(at, high, low, here.line, here.label);
    if (++this.#count * 2 > this.#lines.length) this.#grow();
    return undefined;
  }

  /** The bound, where it was reached and later texts were not all compared. */
  get comparedOnly(): number | undefined {
    return this.#full ? this.#limit : undefined;
  }

  /** The slot that holds the digest, or the free one where it belongs; lines count from 1, so that 0 is free. */
  #find(high: number, low: number): number {
    const mask = this.#lines.length - 1;
    let at = low & mask;
    while (this.#lines[at] !== 0 && (this.#digests[at * 2] !== high || this.#digests[at * 2 + 1] !== low))
      at = (at + 1) & mask;
    return at;
  }

  #put(at: number, high: number, low: number, line: number, label: number): void {
    this.#digests[at * 2] = high;
    this.#digests[at * 2 + 1] = low;
    this.#lines[at] = line;
    this.#labels[at] = label;
  }

  #grow(): void {
    const [digests, lines, labels] = [this.#digests, this.#lines, this.#labels];
    this.#digests = new Uint32Array(digests.length * 2);
    this.#lines = new Uint32Array(lines.length * 2);
    this.#labels = new Int32Array(labels.length * 2);
    lines.forEach((line, slot) => {
      if (line === 0) return;
      const [high, low] = [digests[slot * 2] ?? 0, digests[slot * 2 + 1] ?? 0];
      this.#put(this.#find(high, low), high, low, line, labels[slot] ?? 0);
    });
  }
}

/** 64 bits of the SHA-256, in two halves. */
function digestOf(text: string): [number, number] {
  const digest = hash('sha256', text, 'buffer');
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}
