import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { UsageError } from '@nautil/contracts';
import type { ConfigFlags } from './help.js';
import type { HydraArguments } from './trainer/hydra-arguments.js';
import { workingFolder } from './working-folder.js';

/**
 * The configuration that a command line names: with `--config-path` and `--config-name`, or with an argument that is its file.
 *
 * @param args - overrides, among which the file may be
 * @throws UsageError for a file that does not exist, and for a second configuration
 *
 * @example namedConfiguration(['conf/reviews.yaml', 'trainer.max_epochs=1'], {})
 * // { configPath: 'conf', configName: 'reviews', overrides: ['trainer.max_epochs=1'] }
 */
export function namedConfiguration(args: readonly string[], flags: ConfigFlags): HydraArguments {
  const { configPath, configName } = flags;
  const [file, second] = args.filter(isFile);
  if (file === undefined) {
    return {
      ...(configPath === undefined ? {} : { configPath }),
      ...(configName === undefined ? {} : { configName }),
      overrides: [...args],
    };
  }
  const other = second ?? configName ?? configPath;
  if (other !== undefined) {
    throw new UsageError(`${file} is a configuration, and ${other} names another one`, {
      hint: 'name one configuration; further settings are overrides, key=value',
    });
  }
  requireConfiguration(file);
  return {
    configPath: dirname(file),
    configName: basename(file, '.yaml'),
    overrides: args.filter((arg) => arg !== file),
  };
}

/** Whether an argument is the file of a configuration. An override may end in .yaml, too, and a file may have `=` in its name. */
const isFile = (arg: string): boolean =>
  /\.ya?ml$/i.test(arg) && (!arg.includes('=') || existsSync(resolve(workingFolder(), arg)));

/** Without this check, a configuration of that name in Nautil's own folder would be used in place of one that does not exist. */
function requireConfiguration(file: string): void {
  if (!file.endsWith('.yaml')) {
    throw new UsageError(`${file}: the name of a configuration ends in .yaml`, { hint: 'rename the file' });
  }
  if (existsSync(resolve(workingFolder(), file))) return;
  throw new UsageError(`${file} does not exist`, {
    hint: 'correct the path; `npx nautil new --help` shows how to write a configuration, and --config-name names one of Nautil’s own',
  });
}
