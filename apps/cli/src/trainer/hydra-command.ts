import type { Command, Option } from 'commander';
import { examples } from '../help.js';
import { namedConfiguration } from '../named-configuration.js';
import { workingFolder } from '../working-folder.js';
import { type HydraArguments, parseHydraArguments } from './hydra-arguments.js';

interface HydraCommand {
  name: string;
  summary: string;
  description: string;
  examples: string[];
  notes: string;

  /** The command's own options, beside Hydra's. */
  options?: Option[];

  /**
   * @param o.cwd - where relative paths start
   * @param o.flags - the values of the command's own options
   */
  run: (args: HydraArguments, o: { cwd: string; flags: Record<string, string | true> }) => Promise<void>;
}

/** Adds a command whose arguments are Hydra's, which commander could not parse: `--config-name sst2 -cp=DIR ~key +key=value`. */
export function addHydraCommand(program: Command, command: HydraCommand): void {
  const added = program
    .command(command.name)
    .summary(command.summary)
    .description(command.description)
    .usage(`${command.options ? '[options] ' : ''}[NAME.yaml | [--config-path DIR] [--config-name NAME]] [key=value …]`)
    .argument(
      '[arguments...]',
      'Hydra’s options and overrides, in any order; or the file of a configuration in place of the options',
    )
    .allowUnknownOption()
    .addHelpText('after', `${examples(...command.examples)}\n\n${command.notes}`)
    .action((args: string[], flags: Record<string, string | true>) => {
      const { overrides, ...named } = parseHydraArguments(args);
      return command.run(namedConfiguration(overrides, named), { cwd: workingFolder(), flags });
    });
  for (const option of command.options ?? []) added.addOption(option);
}
