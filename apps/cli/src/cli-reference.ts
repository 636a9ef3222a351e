import type { Command } from 'commander';
import { buildProgram } from './program.js';

/** The help of every command as a page of Markdown. */
export function cliReference(): string {
  return [...withCommands(buildProgram(), [])].map(({ command, name }) => section(command, name)).join('\n');
}

function* withCommands(command: Command, above: string[]): Generator<{ command: Command; name: string }> {
  const path = [...above, command.name()];
  yield { command, name: path.join(' ') };
  for (const inner of command.commands) if (inner.name() !== 'help') yield* withCommands(inner, path);
}

/** What `--help` prints, without the colours and the width of this terminal. */
function section(command: Command, name: string): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => void (help += text),
    getOutHelpWidth: () => 110,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return `## \`${name}\`\n\n\`\`\`text\n${help.replaceAll(/[ \t]+$/gm, '').trimEnd()}\n\`\`\`\n`;
}
