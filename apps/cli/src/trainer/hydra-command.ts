import type { Command } from 'commander';
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

  /** @param cwd where relative paths start */
  run: (args: HydraArguments, cwd: string) => Promise<void>;
}

/** Adds a command whose arguments are Hydra's, which commander could not parse: `--config-name sst2 -cp=DIR ~key +key=value`. */
export function addHydraCommand(program: Command, command: HydraCommand): void {
  program
    .command(command.name)
    .summary(command.summary)
    .description(command.description)
    .usage('[NAME.yaml | [--config-path DIR] [--config-name NAME]] [key=value …]')
    .argument(
      '[arguments...]',
      'Hydra’s options and overrides, in any order; or the file of a configuration in place of the options',
    )
    .allowUnknownOption()
    .addHelpText('after', `${examples(...command.examples)}\n\n${command.notes}`)
    .action((args: string[]) => {
      const { overrides, ...flags } = parseHydraArguments(args);
      return command.run(namedConfiguration(overrides, flags), workingFolder());
    });
}
