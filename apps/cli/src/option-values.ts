import { InvalidArgumentError } from 'commander';

/** An option's value as a whole number from 1. */
export function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number from 1 is expected.');
}

/** A TCP port. */
export function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a whole number from 1 to 65535.');
}

/** The name of a task queue. Nautil derives further queues from it by appending `-gpu` and `@ID`. */
export function taskQueueName(text: string): string {
  if (/^[\w.-]{1,200}$/.test(text) && !text.endsWith('-gpu')) return text;
  throw new InvalidArgumentError(
    'A task queue is named with letters, digits, dots, dashes and underscores, and does not end in -gpu.',
  );
}

/** An age in days or hours (`30d`, `12h`), in milliseconds. */
export function ageMs(text: string): number {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('An age is a number of days or hours: 30d, 12h.');
  return Number(count) * (unit === 'd' ? 24 : 1) * 3_600_000;
}

/** An amount of bytes in powers of 1,000 (`20GB`, `500MB`). */
export function byteCount(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)(kB|MB|GB|TB)$/.exec(text) ?? [];
  if (count === '') throw new InvalidArgumentError('A size is a number of kB, MB, GB or TB: 20GB, 500MB.');
  return Number(count) * 1000 ** (['kB', 'MB', 'GB', 'TB'].indexOf(unit) + 1);
}
