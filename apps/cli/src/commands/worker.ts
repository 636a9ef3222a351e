import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultTaskQueue } from '@nautil/contracts';
import { examples } from '../help.js';
import { stopListeningForInterruption } from '../interruption.js';
import { nautilProgram } from '../nautil-program.js';
import { taskQueueName } from '../option-values.js';
import { ignoreOutputErrors, printMessage } from '../output.js';
import { readyLine } from '../worker/ready-line.js';
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
      'trainings and evaluations at a time; those on GPUs wait until the GPUs of their trainer.devices are free',
      trainingCount,
      1,
    )
    .option(
      '--restarts <n>',
      'restarts in a row after a failure, after 1 s, 2 s, 4 s, … (at most 60 s); 0: none',
      restartCount,
      0,
    )
    .addHelpText(
      'after',
      `${examples('worker', 'worker --role cpu', 'worker --role gpu')}

On a machine with several GPUs, --trainings 2 trains two runs at once, each on GPUs of its own: trainer.devices=1 takes any that
is free, and [1] waits for GPU 1 (nvidia-smi lists their numbers). A GPU that failed is set aside for ten minutes, in which retries
use others. CUDA_VISIBLE_DEVICES limits the GPUs of a worker.

Environment:
  NAUTIL_TEMPORAL_ADDRESS      address of a Temporal server without TLS (default: the one that \`nautil up\` starts)
  TEMPORAL_ADDRESS, …          address of another one; with TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…,
                               or a profile of temporal.toml, as for Temporal's own programs
  TEMPORAL_DEPLOYMENT_NAME, TEMPORAL_WORKER_BUILD_ID
                               version of the worker: runs stay on the version on which they started
  MLFLOW_TRACKING_URI          MLflow's address (default http://127.0.0.1:5000)
  NAUTIL_HOME                  the state folder
  NAUTIL_OUTPUTS               folders in which runs may write, separated like PATH
                               (default: the working folder, the checkout and the state folder)
  NAUTIL_ENV_ALLOWED           names of the variables that runs may read with \${oc.env:NAME}, with commas (default: none)
  NAUTIL_ARTIFACTS             a folder or HTTP address through which workers with different state folders exchange files
  NAUTIL_HOST                  host at which the workers of a run with trainer.num_nodes above 1 reach this machine
                               (default: its address on the way to Temporal)
  NAUTIL_GROUP_SECRET          a secret of all workers, with which they sign these addresses: 32 characters or more,
                               such as the output of \`openssl rand -hex 32\` (default: the addresses are not signed)
  NAUTIL_MEMBER_PORTS          ports on which such trainings listen: 20000-20099 (default: any free one)
  NAUTIL_METRICS_ADDRESS       IP address and port at which Prometheus finds the metrics of Temporal's SDK: 127.0.0.1:9464
  OTEL_EXPORTER_OTLP_ENDPOINT, …
                               address of an OpenTelemetry collector for metrics and traces; with _PROTOCOL and _HEADERS;
                               OTEL_TRACES_EXPORTER=none or OTEL_METRICS_EXPORTER=none leaves one of them out
  NAUTIL_HEARTBEAT_TIMEOUT_MS  time without a heartbeat after which another worker takes over a stage (default 60000)`,
    )
    .action(async ({ restarts, ...options }: WorkerOptions & { restarts: number }) => {
      if (restarts > 0) {
        process.exitCode = await superviseWorker(options, restarts);
        return;
      }
      const { runWorkers } = await import('../worker/run-workers.js');
      await runWorkers(options);
    });
}

/** Runs this program's `worker` command in a process of its own, and restarts it when it fails. */
async function superviseWorker({ role, taskQueue, trainings }: WorkerOptions, limit: number): Promise<number> {
  const { supervise } = await import('@nautil/stack');
  stopListeningForInterruption();
  ignoreOutputErrors();
  return supervise({
    command: process.execPath,
    args: [nautilProgram, 'worker', '--role', role, '--task-queue', taskQueue, '--trainings', String(trainings)],
    limit,
    readyLine,
    onEvent: (line) => printMessage(`worker: ${line}`),
  });
}

function restartCount(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number from 0 to 999 is expected.');
}

function trainingCount(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number from 1 to 999 is expected.');
}
