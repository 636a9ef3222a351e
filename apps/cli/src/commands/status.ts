import type { Command } from 'commander';
import { examples } from '../program.js';
import { addStackOptions, type StackFlags } from '../stack-options.js';

export function register(program: Command): void {
  addStackOptions(program.command('status'))
    .summary('what runs, and where')
    .description(
      'Asks Temporal, MLflow and the worker whether they run, and shows their addresses, processes and logs.',
    )
    .option('--json', 'print the servers as JSON')
    .addHelpText('after', examples('status', 'status --json | jq -r \'.[] | select(.name == "mlflow").address\''))
    .action(async (flags: StackFlags & { json?: boolean }) => {
      const { stackStatus } = await import('@nautil/stack');
      const { formatServers } = await import('../show-servers.js');
      const servers = await stackStatus(flags);
      console.log(flags.json ? JSON.stringify(servers, null, 2) : formatServers(servers));
    });
}
