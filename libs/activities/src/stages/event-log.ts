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
    const found = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    const complete = withoutTorn(found ?? '');
    // A new file is created here, so that its name survives a power cut, too.
    if (complete !== found) await writeFileAtomic(file, complete);
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

/**
 * The text without an append that a crash interrupted, which leaves an incomplete line at the end. A power cut can also leave
 * zeros in the place of any part of it. The newest checkpoint still has the events of that append, so they are appended again.
 */
function withoutTorn(text: string): string {
  const zero = text.indexOf('\0');
  const intact = zero < 0 ? text : text.slice(0, zero);
  return intact.slice(0, intact.lastIndexOf('\n') + 1);
}

const keyOf = ({ type, step }: LoggedEvent): string => `${type} ${step}`;
