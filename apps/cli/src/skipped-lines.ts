import { counted } from '@nautil/contracts';

const shownLines = 10;

/** Reports the first skipped lines of a file one by one, and only the number of the others. */
export class SkippedLines {
  readonly #name: string;
  readonly #print: (message: string) => void;
  #count = 0;

  constructor(name: string, print: (message: string) => void) {
    this.#name = name;
    this.#print = print;
  }

  add({ line, reason }: { line: number; reason: string }): void {
    this.#count++;
    if (this.#count <= shownLines) this.#print(`${this.#name}:${line}: skipped: ${reason}`);
  }

  /** Reports the number of lines that were not shown. */
  end(): void {
    const more = this.#count - shownLines;
    if (more > 0) this.#print(`${this.#name}: ${counted(more, 'more line')} skipped, ${this.#count} in all`);
  }
}
