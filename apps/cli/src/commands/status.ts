import type { Command } from 'commander';
import { examples } from '../help.js';
import { printJson } from '../output.js';
import { addStackOptions, type StackFlags } from '../stack-options.js';

export function addStatus(program: Command): void {
  addStackOptions(program.command('status'))
    .summary('show what is running, and where')
    .description(
      'Checks whether Temporal, MLflow and the worker are running, and shows their addresses and processes; with --json, also their logs.',
    )
    .option('--json', 'print the servers as JSON')
    .addHelpText('after', examples('status', 'status --json | jq -r \'.[] | select(.name == "mlflow").address\''))
    .action(async (flags: StackFlags & { json?: true }) => {
      const { stackStatus } = await import('@nautil/stack');
      const { printServers } = await import('../print-servers.js');
      const servers = await stackStatus(flags);
      await (flags.json ? printJson(servers) : printServers(servers));
    });
}
