import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnvironmentValues } from '@nautil/config';
import { maskSecrets } from '@nautil/contracts';
import { defaultFolder, nautilHome } from '@nautil/store/folders';

/**
 * The log files of a run under the names that NeMo's exp_manager uses: all entries in `nemo_log_…`, warnings and errors also
 * in `nemo_error_log.txt`, and Lightning's messages about training in `lightning_logs.txt`.
 */
export class ExperimentLog {
  readonly #folder: string;
  readonly #onEntry: (entry: string) => void;
  readonly #hidden: EnvironmentValues;

  /**
   * @param onEntry - also receives the entries, for example to print them
   * @param hidden - environment variables whose values are replaced by references to them
   */
  constructor(folder: string, onEntry: (entry: string) => void = () => undefined, hidden: readonly string[] = []) {
    this.#folder = folder;
    this.#onEntry = onEntry;
    this.#hidden = new EnvironmentValues(hidden, { places: [process.cwd(), defaultFolder(), nautilHome()] });
  }

  /** Creates missing files, so that people find them even when they stay empty. */
  begin(): void {
    for (const file of [logFile, errorFile, lightningFile]) appendFileSync(join(this.#folder, file), '');
  }

  /** @param module - NeMo's name of the source module, for example `text_classification_dataset` */
  info(module: string, message: string): void {
    this.#onEntry(this.#append(formatEntry('I', module, message), logFile));
  }

  warn(module: string, message: string): void {
    this.#onEntry(this.#append(formatEntry('W', module, message), logFile, errorFile));
  }

  /** Records the warning of an event in the files alone: the program that receives the event prints it. */
  recordWarning(module: string, message: string): void {
    this.#append(formatEntry('W', module, message), logFile, errorFile);
  }

  /** Appends a line in Lightning's format, which has neither time nor module. */
  lightning(message: string): void {
    this.#onEntry(this.#append(message, lightningFile));
  }

  #append(text: string, ...files: string[]): string {
    const entry = maskSecrets(this.#hidden.conceal(text));
    for (const file of files) appendFileSync(join(this.#folder, file), `${entry}\n`);
    return entry;
  }
}

/** The name of the file with all entries. */
export const logFile = 'nemo_log_globalrank-0_localrank-0.txt';
const errorFile = 'nemo_error_log.txt';
const lightningFile = 'lightning_logs.txt';

/** `[Nautil I 2026-01-31 12:00:00 module] message`; continuation lines are indented, as NeMo's formatter does. */
function formatEntry(level: 'I' | 'W', module: string, message: string, now = new Date()): string {
  return `[Nautil ${level} ${localTime(now)} ${module}] ${message.replaceAll('\n', '\n    ')}`;
}

/** `2026-01-31 12:00:00` in the local time zone. */
export function localTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
