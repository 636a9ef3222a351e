/** Copies texts into an array of UTF-16 code units, from which a loop reads faster than from a string. */
export class CodeUnits {
  #bytes = Buffer.alloc(0);
  #units = new Uint16Array(0);

  /** The code units of a text, and other ones after them, until the next call. */
  of(text: string): Uint16Array {
    if (text.length > this.#units.length) {
      this.#units = new Uint16Array(Math.max(1024, text.length * 2));
      this.#bytes = Buffer.from(this.#units.buffer);
    }
    this.#bytes.write(text, 'utf16le');
    return this.#units;
  }
}
