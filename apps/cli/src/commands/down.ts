import type { Command } from 'commander';
import { examples } from '../program.js';

export function register(program: Command): void {
  program
    .command('down')
    .summary('stop what `nautil up` started')
    .description(
      'Stops the worker and the servers that `nautil up` or `npm start` started; their data stays. Running workflows wait in ' +
        "Temporal's database and go on after the next `nautil up`. Servers that somebody else runs are left alone.",
    )
    .option('--json', 'print the names of what was stopped as JSON')
    .addHelpText('after', examples('down'))
    .action(async ({ json }: { json?: boolean }) => {
      const { stopStack } = await import('@nautil/stack');
      const stopped = await stopStack({ onProgress: (line) => console.error(line) });
      if (json) console.log(JSON.stringify(stopped));
      else if (stopped.length === 0) console.error('nothing of ours was running');
    });
}
