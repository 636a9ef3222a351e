import { open } from 'node:fs/promises';

const bufferedCharacters = 1 << 16;

/** A new file that grows by lines, which are written in larger pieces and synced at its end. */
export class LineFile {
  #lines: string[] = [];
  #characters = 0;
  readonly #file: Awaited<ReturnType<typeof open>>;

  private constructor(file: Awaited<ReturnType<typeof open>>) {
    this.#file = file;
  }

  static async create(path: string): Promise<LineFile> {
    return new LineFile(await open(path, 'w'));
  }

  /** Undefined, and not a promise, as long as the line is only collected. */
  write(line: string): Promise<void> | undefined {
    this.#lines.push(line);
    this.#characters += line.length;
    return this.#characters < bufferedCharacters ? undefined : this.#flush();
  }

  async close(): Promise<void> {
    try {
      await this.#flush();
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  async #flush(): Promise<void> {
    const text = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    if (text !== '') await this.#file.writeFile(text);
  }
}
