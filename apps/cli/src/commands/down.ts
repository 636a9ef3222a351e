import type { Command } from 'commander';
import { examples } from '../help.js';
import { printMessage, printResult } from '../output.js';

export function addDown(program: Command): void {
  program
    .command('down')
    .summary('stop what `nautil up` started')
    .description(
      'Stops the worker and the servers that `nautil up` or `npm start` started, and keeps their data. The worker has two minutes ' +
        "to end its stages; training writes a checkpoint. Running workflows wait in Temporal's database and continue after the " +
        'next `nautil up`. Servers that something else started are left alone.',
    )
    .option('--json', 'print the names of what was stopped as JSON')
    .addHelpText('after', examples('down'))
    .action(async ({ json }: { json?: true }) => {
      const { stopStack } = await import('@nautil/stack');
      const stopped = await stopStack({ onProgress: printMessage });
      if (json) await printResult(JSON.stringify(stopped));
      else if (stopped.length === 0) printMessage('nothing that Nautil started was running');
    });
}
