import { hash } from 'node:crypto';

/** Bound on memory: at most 32 bytes per text at a load factor of one half, 128 MiB in total. */
const maxTexts = 1 << 22;

/** The first occurrence of a text. */
export interface FirstOccurrence {
  line: number;
  label: number;
}

/**
 * Detects repeated texts by their 64-bit digests, in an open-addressing hash table of typed arrays. It stores no new texts
 * beyond its limit. The probability that any two of four million texts share a digest is about one in two million.
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

  /** Returns the earlier occurrence of the text, or records this one and returns undefined. */
  add(text: string, occurrence: FirstOccurrence): FirstOccurrence | undefined {
    const [high, low] = digestOf(text);
    const slot = this.#find(high, low);
    const first = this.#at(slot);
    if (first) return first;
    if (this.#count >= this.#limit) {
      this.#full = true;
      return undefined;
    }
    this.#put(slot, high, low, occurrence.line, occurrence.label);
    if (++this.#count * 2 > this.#lines.length) this.#grow();
    return undefined;
  }

  /** The recorded occurrence of a text. */
  find(text: string): FirstOccurrence | undefined {
    return this.#at(this.#find(...digestOf(text)));
  }

  /** The limit, if it was reached; texts after it were compared only with the stored ones. */
  get comparedOnly(): number | undefined {
    return this.#full ? this.#limit : undefined;
  }

  /** The slot that holds the digest, or the free slot where it belongs. Lines count from 1, so line 0 marks a free slot. */
  #find(high: number, low: number): number {
    const mask = this.#lines.length - 1;
    let slot = low & mask;
    while (this.#lines[slot] !== 0 && (this.#digests[slot * 2] !== high || this.#digests[slot * 2 + 1] !== low))
      slot = (slot + 1) & mask;
    return slot;
  }

  #at(slot: number): FirstOccurrence | undefined {
    const line = this.#lines[slot] ?? 0;
    return line === 0 ? undefined : { line, label: this.#labels[slot] ?? 0 };
  }

  #put(slot: number, high: number, low: number, line: number, label: number): void {
    this.#digests[slot * 2] = high;
    this.#digests[slot * 2 + 1] = low;
    this.#lines[slot] = line;
    this.#labels[slot] = label;
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

/** The first 64 bits of the SHA-256, as two 32-bit halves. As a string, Node returns it at half the price of a buffer. */
function digestOf(text: string): [number, number] {
  const digest = hash('sha256', text, 'binary');
  return [wordAt(digest, 0), wordAt(digest, 4)];
}

/** Four characters as an unsigned number, the lowest byte first. */
const wordAt = (bytes: string, start: number): number =>
  (bytes.charCodeAt(start) |
    (bytes.charCodeAt(start + 1) << 8) |
    (bytes.charCodeAt(start + 2) << 16) |
    (bytes.charCodeAt(start + 3) << 24)) >>>
  0;
