import type { Command } from 'commander';
import { isCheckout } from '@nautil/store/folders';
import type { Completion } from '../completion/complete-words.js';
import { completionServer } from '../completion/completion-server.js';
import { examples } from '../help.js';
import { printData } from '../output.js';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes commands, keys and runs in your shell')
    .description(
      'Prints the script with which a shell completes commands, options, keys of the configuration and their values, and names of runs. ' +
        'It completes the word `nautil`: in a checkout, an alias of that name runs `npx nautil`.',
    )
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      `${examples('completion bash')}

In a checkout, for this session:
  alias nautil='npx nautil'
  source <(npx nautil completion bash)

For all sessions, add these lines to ~/.bashrc or ~/.zshrc; fish reads files in ~/.config/fish/completions.`,
    )
    .action(printScript);
  program
    .command(completionServer, { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(() => complete(program));
}

async function printScript(shell: string): Promise<void> {
  const { UsageError } = await import('@nautil/contracts');
  const known = shells.find((one) => one === shell);
  if (known === undefined) {
    throw new UsageError(`there is no completion for ${shell}`, {
      hint: 'name your shell: `npx nautil completion bash`, `npx nautil completion zsh` or `npx nautil completion fish`',
    });
  }
  const { default: tabtab } = await import('@pnpm/tabtab');
  const completer = isCheckout() ? 'npx --no-install nautil' : 'nautil';
  await printData(
    adapted(await tabtab.getCompletionScript({ name: 'nautil', completer, shell: known }), known).trimEnd(),
  );
}

/** Where the library's script for bash has its words, and before which `compopt` decides what follows a completed one. */
const afterReply = '    IFS="$si"\n';

/** Makes bash type no space after `key=`, which the library's script has no setting for. */
function adapted(script: string, shell: Shell): string {
  if (shell !== 'bash') return script;
  return script.replace(
    afterReply,
    `${afterReply}    if [[ "\${COMPREPLY[0]}" == *= ]]; then compopt -o nospace; fi\n`,
  );
}

/** Answers the script of a shell, which passes the line and the cursor in variables. Prints nothing on any error. */
async function complete(program: Command): Promise<void> {
  const { default: tabtab } = await import('@pnpm/tabtab');
  const { completeWords } = await import('../completion/complete-words.js');
  const shell = tabtab.getShellFromEnv(process.env);
  const { partial } = tabtab.parseEnv(process.env);
  const [, ...words] = partial.split(/\s+/);
  const current = words.pop() ?? '';
  const found = await completeWords(program, words, current);
  if (shell === 'bash') await completeInBash(found, current);
  else if (found === 'files') tabtab.logFiles();
  else tabtab.log(found, shell);
}

/**
 * Bash replaces what follows the last of its word breaks, of which `=` and `:` are two, and completes paths where nothing is printed.
 */
async function completeInBash(found: Completion[] | 'files', current: string): Promise<void> {
  if (found === 'files') return;
  const kept = Math.max(current.lastIndexOf('='), current.lastIndexOf(':')) + 1;
  if (found.length > 0) await printData(found.map(({ name }) => name.slice(kept)).join('\n'));
}
