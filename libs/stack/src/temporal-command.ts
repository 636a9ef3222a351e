import { accessSync, constants } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { shellWord } from '@nautil/contracts';
import { nautilHome } from '@nautil/store/folders';
import { installedProgram } from './installed-program.js';
import { cliDefaults, type TemporalConnection } from './temporal-connection.js';

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
  return [temporalProgram(), ...words, ...options].map(shellWord).join(' ');
}

function temporalProgram(): string {
  const installed = join(nautilHome(), 'python', 'bin', 'temporal');
  if (onPath() !== undefined || !isExecutable(installed)) return 'temporal';
  const fromHere = relative(process.env['INIT_CWD'] ?? process.cwd(), installed);
  return fromHere.length < installed.length ? fromHere : installed;
}

/** The `temporal` that a shell would start. */
const onPath = (): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'temporal'))
    .find(isExecutable);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of the Temporal CLI: the installed one, or else the one on PATH.
 *
 * @throws NotSetUp if there is none
 */
export const temporalProgramPath = (): string => {
  const installed = join(nautilHome(), 'python', 'bin', 'temporal');
  return isExecutable(installed) ? installed : (onPath() ?? installedProgram('temporal'));
};

/**
 * The variables with which the Temporal CLI reaches a server without options. The keys and certificates of a configured
 * connection are not repeated: the program reads the same variables and the same file.
 */
export function temporalEnvironment({ address, namespace, security }: TemporalConnection): Record<string, string> {
  return {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    ...(cliDefaults().usesTls && !security.tls ? { TEMPORAL_TLS: 'false' } : {}),
  };
}
