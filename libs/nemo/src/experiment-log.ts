import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The log files of a run, as NeMo's exp_manager names and divides them: everything in `nemo_log_…`, warnings and errors
 * again in `nemo_error_log.txt`, and what Lightning says of training in `lightning_logs.txt`.
 */
export class ExperimentLog {
  readonly #folder: string;
  readonly #echo: (line: string) => void;

  /** @param echo - hears of every entry too, e.g. to print it. */
  constructor(folder: string, echo: (entry: string) => void = () => undefined) {
    this.#folder = folder;
    this.#echo = echo;
  }

  /** Makes the files that are not there, so that they are found where people look for them. */
  begin(): void {
    for (const file of [logFile, errorFile, lightningFile]) appendFileSync(join(this.#folder, file), '');
  }

  /** @param module - who says it, in NeMo's names (`text_classification_dataset`). */
  info(module: string, message: string): void {
    this.#append(formatEntry('I', module, message), logFile);
  }

  warn(module: string, message: string): void {
    this.#append(formatEntry('W', module, message), logFile, errorFile);
  }

  error(module: string, message: string): void {
    this.#append(formatEntry('E', module, message), logFile, errorFile);
  }

  /** Lightning's lines stand alone, without time and module. */
  lightning(message: string): void {
    this.#append(message, lightningFile);
  }

  #append(entry: string, ...files: string[]): void {
    for (const file of files) appendFileSync(join(this.#folder, file), `${entry}\n`);
    this.#echo(entry);
  }
}

const logFile = 'nemo_log_globalrank-0_localrank-0.txt';
const errorFile = 'nemo_error_log.txt';
const lightningFile = 'lightning_logs.txt';

/** `[Nautil I 2026-01-31 12:00:00 module] message`, further lines indented, as NeMo's formatter lays them out. */
export function formatEntry(level: 'I' | 'W' | 'E', module: string, message: string, now = new Date()): string {
  return `[Nautil ${level} ${localTime(now)} ${module}] ${message.replaceAll('\n', '\n    ')}`;
}

/** `2026-01-31 12:00:00`, in the machine's time zone. */
export function localTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
