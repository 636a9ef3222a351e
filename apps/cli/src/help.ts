import { type Command, Option } from 'commander';
import { defaultTaskQueue, UsageError } from '@nautil/contracts';
import { taskQueueName } from './option-values.js';

/** The examples at the end of a command's help. */
export const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  npx nautil ${line}`).join('\n')}`;

/** The option of every command that writes a file which the user names. What the command reads is never replaced. */
export const forceOption = (): Option => new Option('--force', 'replace a file that exists');

/** @throws UsageError for `--force` without the option that names a file to write */
export function requireForced(force: unknown, { path, option }: { path: string | undefined; option: string }): void {
  if (force !== true || path !== undefined) return;
  throw new UsageError(`--force is for the file of ${option}, which is not given`, { hint: `add ${option} FILE` });
}

/** What the arguments of a command with a configuration are; see `namedConfiguration`. */
export const overridesArgument = 'the file of a configuration (NAME.yaml), and Hydra-style overrides of it';

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

/** The options of the commands that start a workflow or follow one. */
export const addWorkflowOptions = (command: Command): Command =>
  command
    .option('--task-queue <queue>', 'task queue of the workers', taskQueueName, defaultTaskQueue)
    .option('--detach', 'start it and return')
    .option('--json', 'print the result as JSON');

/** The values of these options, as an action receives them. */
export interface WorkflowFlags {
  taskQueue: string;
  detach?: true;
  json?: true;
}

/** The options that name the texts which a command reads. */
export const addInputOptions = (command: Command): Command =>
  command
    .requiredOption(
      '--input <file>',
      'a table (CSV, TSV, JSON Lines, JSON or Parquet), a folder with one table, a folder of texts for each class, or a file with one text per line (ended by \\n or \\r\\n); files may be packed by gzip; - is standard input, which has no table',
    )
    .addOption(
      new Option(
        '--input-format <format>',
        'auto: a table if the name ends in .csv, .tsv, .jsonl, .ndjson, .json or .parquet, or an option names a column, else text; tsv: a labelled file in NeMo’s layout',
      )
        .choices(['auto', 'text', 'tsv', 'table'])
        .default('auto'),
    );
