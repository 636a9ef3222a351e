import { accessSync, constants } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { nautilHome } from '@nautil/store/folders';

/** Where the Temporal CLI connects without `--address`, unless TEMPORAL_ADDRESS is set. */
const defaultAddress = '127.0.0.1:7233';

const plainWord = /^[\w@%+=:,./-]+$/;

const quoted = (word: string): string => (plainWord.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

/**
 * A command of the Temporal CLI that works as it is printed, in the folder where the user types: with the path of the program
 * unless it is on PATH, and with the server's address unless it is the program's default.
 *
 * @param words what follows `temporal`; they are quoted where a shell needs it
 */
export function temporalCommand(words: readonly string[], address: string): string {
  const isDefault = address === (process.env['TEMPORAL_ADDRESS'] ?? defaultAddress);
  const server = isDefault ? [] : ['--address', address];
  return [temporalProgram(), ...words, ...server].map(quoted).join(' ');
}

function temporalProgram(): string {
  const isOnPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((folder) => isExecutable(join(folder, 'temporal')));
  const installed = join(nautilHome(), 'python', 'bin', 'temporal');
  if (isOnPath || !isExecutable(installed)) return 'temporal';
  const fromHere = relative(process.env['INIT_CWD'] ?? process.cwd(), installed);
  return fromHere.length < installed.length ? fromHere : installed;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
