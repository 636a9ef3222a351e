import { accessSync, constants } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { nautilHome } from '@nautil/store/folders';
import { cliDefaults, type TemporalConnection } from './temporal-connection.js';

const plainWord = /^[\w@%+=:,./-]+$/;

const quoted = (word: string): string => (plainWord.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

/**
 * A command of the Temporal CLI that works as it is printed, in the folder where the user types: with the path of the program
 * unless it is on PATH, and with those options of the connection that the program would not use by itself. (It reads the same
 * variables and the same file as `configuredConnection`, so that no key has to be printed.)
 *
 * @param words what follows `temporal`; they are quoted where a shell needs it
 */
export function temporalCommand(words: readonly string[], connection: TemporalConnection): string {
  const defaults = cliDefaults();
  const { address, namespace, security } = connection;
  const options = [
    ...(address === defaults.address ? [] : ['--address', address]),
    ...(namespace === defaults.namespace ? [] : ['--namespace', namespace]),
    ...(defaults.usesTls && !security.tls ? ['--tls=false'] : []),
  ];
  return [temporalProgram(), ...words, ...options].map(quoted).join(' ');
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
