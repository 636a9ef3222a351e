import { open } from 'node:fs/promises';

/** An entry of NeMo's log begins with `[Nautil I TIME MODULE] `; its further lines are indented. */
const entryStart = /^\[Nautil [IW] /m;
const report = /^\[Nautil I [^\]]*\] (?:val|test)_report: /;

/** Whether an entry of NeMo's log is the table of an evaluation. */
export const isReport = (entry: string): boolean => report.test(entry);

/** Reads the tables of evaluations that are appended to the log of a run, as NeMo writes them. */
export class EvaluationLog {
  readonly #path: string;
  #offset: number;
  #rest = '';

  private constructor(path: string, offset: number) {
    this.#path = path;
    this.#offset = offset;
  }

  /**
   * Resolves to undefined where there is no such file, such as on another machine than the worker's.
   *
   * @param o.fromEnd - leaves out what the log has already
   */
  static async open(path: string, o: { fromEnd: boolean }): Promise<EvaluationLog | undefined> {
    const size = await sizeOf(path);
    return size === undefined ? undefined : new EvaluationLog(path, o.fromEnd ? size : 0);
  }

  /** The tables that were added since the last call. */
  async next(): Promise<string[]> {
    const text = this.#rest + (await this.#read());
    // What is being written has no last line feed yet.
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = text.slice(end);
    return text
      .slice(0, end)
      .split(new RegExp(`(?=${entryStart.source})`, 'm'))
      .filter(isReport)
      .map((entry) => entry.trimEnd());
  }

  async #read(): Promise<string> {
    const file = await open(this.#path).catch(() => undefined);
    if (file === undefined) return '';
    try {
      const { size } = await file.stat();
      const bytes = Buffer.alloc(Math.max(0, size - this.#offset));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#offset);
      this.#offset += bytesRead;
      return bytes.subarray(0, bytesRead).toString('utf8');
    } finally {
      await file.close();
    }
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  await file.close();
  return size;
}
