import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultTaskQueue } from '@nautil/contracts';
import { examples } from '../help.js';
import { taskQueueName } from '../option-values.js';
import type { WorkerOptions } from '../worker/run-workers.js';

const roles = ['cpu', 'gpu', 'all'] as const satisfies WorkerOptions['role'][];

export function addWorker(program: Command): void {
  program
    .command('worker')
    .summary('run a Temporal worker in this terminal')
    .description(
      'Runs the workflows and stages that Temporal assigns to it, until SIGINT or SIGTERM. It then waits up to two minutes for its ' +
        'stages to end; a training writes a checkpoint. `nautil up` starts a worker in the background.',
    )
    .addOption(
      new Option('--role <role>', 'cpu: everything but training and evaluation; gpu: only those; all: both')
        .choices(roles)
        .default('all'),
    )
    .option(
      '--task-queue <queue>',
      'task queue; training uses a second one, whose name is derived from it',
      taskQueueName,
      defaultTaskQueue,
    )
    .option(
      '--trainings <n>',
      'trainings and evaluations at a time; those on GPUs use the GPU of their trainer.devices',
      trainingCount,
      1,
    )
    .addHelpText(
      'after',
      `${examples('worker', 'worker --role cpu', 'worker --role gpu')}

On a machine with several GPUs, start one worker for each, with CUDA_VISIBLE_DEVICES=0, 1, ….
--trainings does not distribute trainings over GPUs.

Environment:
  NAUTIL_TEMPORAL_ADDRESS      Temporal's address (default 127.0.0.1:7233)
  MLFLOW_TRACKING_URI          MLflow's address (default http://127.0.0.1:5000)
  NAUTIL_HOME                  the state folder
  NAUTIL_OUTPUTS               folders in which runs may write, separated like PATH (default: the working folder and the state folder)
  NAUTIL_ENV_ALLOWED           names of the variables that runs may read with \${oc.env:NAME}, with commas (default: none)
  NAUTIL_ARTIFACTS             a folder or HTTP address through which workers with different state folders exchange files
  NAUTIL_OUTPUTS               folders in which runs may write, separated by colons (default: working folder and state folder)
  NAUTIL_HEARTBEAT_TIMEOUT_MS  time without a heartbeat after which another worker takes over a stage (default 60000)`,
    )
    .action(async (options: WorkerOptions) => {
      const { runWorkers } = await import('../worker/run-workers.js');
      await runWorkers(options);
    });
}

function trainingCount(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number from 1 to 999 is expected.');
}
