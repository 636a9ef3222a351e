import type { Command } from 'commander';

/** The examples at the end of a command's help. */
export const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  npx nautil ${line}`).join('\n')}`;

/** The options that name a configuration. */
export const addConfigOptions = (command: Command): Command =>
  command
    .option('--config-path <folder>', 'a folder of configurations (default: conf)')
    .option('--config-name <name>', 'a configuration in it (default: text_classification_config)');

/** The values of these options, as an action receives them. */
export interface ConfigFlags {
  configPath?: string;
  configName?: string;
}
