import { readJournal } from './journal.js';

/** The steps of each metric that a journal holds, and when the run was opened last. */
export class LoggedSteps {
  /** Milliseconds since the epoch; 0 for a journal without a run. */
  openedMs = 0;

  readonly #highest = new Map<string, number>();

  /** Steps after the first damaged line, one by one: a power cut may have lost the steps between them. */
  readonly #afterDamage = new Map<string, Set<number>>();

  /** Reads the journal's steps of the run with the given key. */
  static async read(path: string, key: string): Promise<LoggedSteps> {
    const logged = new LoggedSteps();
    let damageStart = Infinity;
    for (let offset = 0; ;) {
      const { entries, damaged, end } = await readJournal(path, offset, 4 * 1024 * 1024);
      if (end === offset) return logged;
      offset = end;
      damageStart = Math.min(damageStart, damaged[0]?.start ?? Infinity);
      for (const { record, end: recordEnd } of entries) {
        if (record.type === 'open' && record.key !== key) logged.#clear();
        if (record.type === 'open') logged.openedMs = Math.max(logged.openedMs, record.timestampMs);
        if (record.type !== 'metrics') continue;
        for (const [metric, , step] of record.rows) logged.#add(metric, step, recordEnd > damageStart);
      }
    }
  }

  /** Whether the journal has this step of a metric. Steps of a metric are appended in order, so it then has all lower ones. */
  has(metric: string, step: number): boolean {
    return step <= (this.#highest.get(metric) ?? -Infinity) || (this.#afterDamage.get(metric)?.has(step) ?? false);
  }

  #add(metric: string, step: number, isAfterDamage: boolean): void {
    if (!isAfterDamage) {
      this.#highest.set(metric, Math.max(step, this.#highest.get(metric) ?? -Infinity));
      return;
    }
    const steps = this.#afterDamage.get(metric) ?? new Set();
    this.#afterDamage.set(metric, steps.add(step));
  }

  #clear(): void {
    this.openedMs = 0;
    this.#highest.clear();
    this.#afterDamage.clear();
  }
}
