import { Command } from 'commander';
import { readdirSync } from 'node:fs';

/** What each file of `commands/` exports: it adds its command, and imports anything heavy inside the action alone. */
export interface CommandModule {
  register(program: Command): void;
}

const commandsFolder = new URL('commands/', import.meta.url);

/** The program `nautil` with every command that has a file in `commands/`. */
export async function buildProgram(): Promise<Command> {
  const program = new Command('nautil')
    .description('Fine-tunes and serves BERT text classifiers: durable, tracked, and in TypeScript.')
    .helpCommand('help [command]', 'help for a command')
    .showHelpAfterError('`npx nautil --help` lists the commands and options')
    .exitOverride();
  const files = readdirSync(commandsFolder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  for (const file of files.sort()) {
    const { register } = (await import(new URL(file, commandsFolder).href)) as CommandModule;
    register(program);
  }
  for (const command of program.commands)
    command.showHelpAfterError(`\`npx nautil ${command.name()} --help\` lists its options`);
  return program.addHelpText(
    'after',
    `
Examples:
  npx nautil up                       start Temporal, MLflow and a worker
  npx nautil status                   what runs, and where
  npx nautil <command> --help         options and examples of a command

Exit codes: 0 done, 2 usage or config, 3 data, 4 environment, 5 training failed, 130 interrupted.
DEBUG=1 shows the stack of an error.`,
  );
}

/** The examples at the end of a command's help. */
export const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  npx nautil ${line}`).join('\n')}`;
