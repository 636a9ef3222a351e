import type { Command } from 'commander';
import { interruption } from '../interruption.js';
import { examples } from '../program.js';
import { addStackOptions, type StackFlags } from '../stack-options.js';

interface UpFlags extends StackFlags {
  worker: boolean;
  taskQueue?: string;
  json?: boolean;
}

export function register(program: Command): void {
  addStackOptions(program.command('up'))
    .summary('start Temporal, MLflow and a worker')
    .description(
      "Starts what does not run yet of Temporal's server, MLflow's server and a worker, on 127.0.0.1, and waits until they answer. " +
        'They go on until `nautil down`. Servers that are found running are used as they are.',
    )
    .option('--no-worker', 'the servers alone')
    .option('--task-queue <name>', 'task queue of the worker (default: nautil)')
    .option('--json', 'print the servers as JSON')
    .addHelpText('after', examples('up', 'up --mlflow-port 5001', 'up --no-worker --json'))
    .action(async (flags: UpFlags) => {
      const { startStack } = await import('@nautil/stack');
      const { localWorker } = await import('../local-worker.js');
      const { formatServers } = await import('../show-servers.js');
      const { servers } = await startStack({
        ...flags,
        worker: flags.worker ? localWorker(flags.taskQueue) : undefined,
        onProgress: (line) => console.error(line),
        signal: interruption,
      });
      console.log(flags.json ? JSON.stringify(servers, null, 2) : formatServers(servers));
    });
}
