import { defaultTaskQueue, exitCodeOf, formatError } from '@nautil/contracts';
import { parseWorkerOptions } from './worker-options.js';

const help = `Usage: node --import tsx apps/cli/src/worker/main.ts [options]

A Temporal worker: it runs the workflows and the stages of Nautil.

  --role cpu|gpu|all      cpu: everything but training; gpu: training alone; all (default)
  --task-queue QUEUE      default ${defaultTaskQueue}; training has its own queue beside it
  --trainings N           trainings and evaluations at a time (default 1)

Environment: NAUTIL_TEMPORAL_ADDRESS (default 127.0.0.1:7233), MLFLOW_TRACKING_URI (default http://127.0.0.1:5000),
NAUTIL_HOME (state folder), NAUTIL_ARTIFACTS (a folder or http address that workers of other state folders name too)
`;

try {
  const settings = parseWorkerOptions(process.argv.slice(2));
  if (settings) {
    // Temporal's SDK takes a second to load, and a wrong option is told at once.
    const { runWorkers } = await import('./run-workers.js');
    await runWorkers(settings);
  } else process.stdout.write(help);
} catch (error) {
  process.stderr.write(`${formatError(error, Boolean(process.env['DEBUG']))}\n`);
  process.exitCode = exitCodeOf(error);
}
