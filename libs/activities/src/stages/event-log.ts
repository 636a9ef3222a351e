import { appendFile, readFile } from 'node:fs/promises';
import type { LoggedEvent } from '@nautil/contracts';
import { parseLoggedEvents } from '@nautil/contracts/schemas';
import { explainWriteError, writeFileAtomic } from '@nautil/store';
import { fileMode } from '@nautil/store/folders';

/**
 * The file of a training's steps and evaluations, as JSON lines. Appending is idempotent, because a resumed training emits the
 * events of its checkpoint again.
 */
export class EventLog {
  readonly #file: string;
  readonly #keys: Set<string>;

  private constructor(file: string, events: readonly LoggedEvent[]) {
    this.#file = file;
    this.#keys = new Set(events.map(keyOf));
  }

  /** @throws InvalidJson when a complete line is damaged: a log without it would hide a step or an evaluation */
  static async open(file: string): Promise<EventLog> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    });
    const complete = text.slice(0, text.lastIndexOf('\n') + 1);
    // A crash can leave an incomplete last line; the event is appended again.
    if (complete !== text) await writeFileAtomic(file, complete);
    return new EventLog(file, parseLoggedEvents(complete, file));
  }

  async append(events: readonly LoggedEvent[]): Promise<void> {
    const fresh = events.filter((event) => !this.#keys.has(keyOf(event)));
    if (fresh.length === 0) return;
    for (const event of fresh) this.#keys.add(keyOf(event));
    const lines = fresh.map((event) => `${JSON.stringify(event)}\n`).join('');
    try {
      // Flushed, because the next checkpoint no longer contains these events.
      await appendFile(this.#file, lines, { flush: true, mode: fileMode(this.#file) });
    } catch (error) {
      throw await explainWriteError(error, this.#file);
    }
  }
}

const keyOf = ({ type, step }: LoggedEvent): string => `${type} ${step}`;
