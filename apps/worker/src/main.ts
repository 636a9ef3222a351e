import { defaultTaskQueue, exitCodeOf, formatError } from '@nautil/contracts';
import { parseArgs } from 'node:util';
import { runWorkers } from './run-workers.js';

const help = `Usage: node --import tsx apps/worker/src/main.ts [options]

A Temporal worker: it runs the workflows and the stages of Nautil.

  --role cpu|gpu|all      cpu: everything but training; gpu: training alone; all (default)
  --task-queue QUEUE      default ${defaultTaskQueue}; training has its own queue beside it
  --trainings N           trainings at a time (default 1)

Environment: NAUTIL_TEMPORAL_ADDRESS (default 127.0.0.1:7233), MLFLOW_TRACKING_URI (default http://127.0.0.1:5000)
`;

try {
  const { values } = parseArgs({
    options: {
      role: { type: 'string', default: 'all' },
      'task-queue': { type: 'string', default: defaultTaskQueue },
      trainings: { type: 'string', default: '1' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) process.stdout.write(help);
  else await runWorkers({ role: values.role, taskQueue: values['task-queue'], trainings: Number(values.trainings) });
} catch (error) {
  process.stderr.write(`${formatError(error, Boolean(process.env['DEBUG']))}\n`);
  process.exitCode = exitCodeOf(error);
}
