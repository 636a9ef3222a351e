import type { Command } from 'commander';
import { defaultTaskQueue } from '@nautil/contracts';
import { examples } from '../help.js';
import { interruption } from '../interruption.js';
import { taskQueueName } from '../option-values.js';
import { printJson, printMessage } from '../output.js';
import { addStackOptions, type StackFlags } from '../stack-options.js';

interface UpFlags extends StackFlags {
  worker: boolean;
  taskQueue: string;
  json?: true;
}

export function addUp(program: Command): void {
  addStackOptions(program.command('up'))
    .summary('start Temporal, MLflow and a worker')
    .description(
      "Starts Temporal's server, MLflow's server and a worker on 127.0.0.1, unless they are already running, and waits until they are " +
        'ready. They run until `nautil down`. Servers that are already running are used as they are.',
    )
    .option('--no-worker', 'start the servers only')
    .option('--task-queue <name>', 'task queue of the worker', taskQueueName, defaultTaskQueue)
    .option('--json', 'print the servers as JSON')
    .addHelpText('after', examples('up', 'up --mlflow-port 5001', 'up --no-worker --json'))
    .action(async (flags: UpFlags) => {
      const { startStack } = await import('@nautil/stack');
      const { localWorker } = await import('../local-worker.js');
      const { printServers } = await import('../print-servers.js');
      const { servers } = await startStack({
        ...flags,
        worker: flags.worker ? localWorker(flags.taskQueue) : undefined,
        onProgress: printMessage,
        signal: interruption,
      });
      await (flags.json ? printJson(servers) : printServers(servers));
    });
}
