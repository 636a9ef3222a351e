/** A list of token ids that grows, in a typed array. */
export class IdList {
  length = 0;

  /** The ids, and spare room after them. */
  values: Uint32Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.values = new Uint32Array(capacity);
  }

  /** Makes room for more ids. */
  reserve(more: number): void {
    if (this.length + more <= this.values.length) return;
    const larger = new Uint32Array(Math.max(this.values.length * 2, this.length + more));
    larger.set(this.values);
    this.values = larger;
  }

  append(ids: readonly number[]): void {
    this.reserve(ids.length);
    for (const id of ids) this.values[this.length++] = id;
  }

  /** Removes the ids from a place on. */
  truncate(length: number): void {
    this.length = Math.min(this.length, length);
  }

  toNumbers(): number[] {
    const numbers: number[] = [];
    for (let at = 0; at < this.length; at++) numbers.push(this.values[at] ?? 0);
    return numbers;
  }

  /** A copy of the ids without spare room. */
  toArray(): Uint32Array<ArrayBuffer> {
    return this.values.slice(0, this.length);
  }
}
