import type { WorkflowHandle } from '@temporalio/client';
import type { Command } from 'commander';
import {
  type ControlAnswer,
  defineError,
  nautilCommand,
  pauseRequest,
  progressQuery,
  resumeRequest,
  stopEarlyRequest,
  type SweepProgress,
} from '@nautil/contracts';
import type { FoundRun } from '../find-run.js';
import { examples } from '../help.js';
import { printJson, printResult } from '../output.js';
import { startWorkerCommand } from '../start-worker-command.js';

/** The run cannot do what was asked of it. */
class RequestRefused extends defineError('RequestRefused', 'usage') {}

/** No worker runs the workflow, so that nobody answers. */
class NoWorker extends defineError('NoWorker', 'environment', { retryable: true }) {}

interface Control {
  name: 'pause' | 'continue' | 'stop';

  /** The update of the workflow. */
  request: string;

  summary: string;
  description: string;
}

const controls: Control[] = [
  {
    name: 'pause',
    request: pauseRequest,
    summary: 'hold a run; training writes a checkpoint and frees the device',
    description:
      'Pauses a run before its next stage. Training writes a checkpoint and frees the device. The run waits, also through ' +
      'restarts of workers and servers, until `nautil continue`, `stop` or `cancel`.',
  },
  {
    name: 'continue',
    request: resumeRequest,
    summary: 'let a paused run go on',
    description:
      'Continues a paused run; training goes on from its checkpoint. `nautil resume` continues a run that has ended.',
  },
  {
    name: 'stop',
    request: stopEarlyRequest,
    summary: 'end the training of a run now, and evaluate and package what there is',
    description:
      'Ends training at a checkpoint. The run then evaluates and packages the model, and completes. `nautil cancel` ends a run ' +
      'without a model.',
  },
];

/** Adds `pause`, `continue` and `stop`. */
export function addControls(program: Command): void {
  for (const control of controls)
    addRunCommand(program, control).action((workflowId: string, { json }: { json?: true }) =>
      ask(workflowId, control, json),
    );
}

export function addCancel(program: Command): void {
  addRunCommand(program, {
    name: 'cancel',
    summary: 'end a run or a sweep; training writes a checkpoint first',
    description:
      'Ends a run, or a sweep with its trials. Training writes a checkpoint first, so that `nautil resume` can continue the run. ' +
      'MLflow shows it as KILLED. Without a worker, it ends once one is running.',
  }).action(cancel);
}

const addRunCommand = (
  program: Command,
  { name, summary, description }: { name: string; summary: string; description: string },
): Command =>
  program
    .command(name)
    .summary(summary)
    .description(description)
    .argument('<workflow-id>', 'the name of the run')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', examples(`${name} sst2-20261123-231500`));

async function cancel(workflowId: string, { json }: { json?: true }): Promise<void> {
  const { withRun } = await import('../find-run.js');
  await withRun(workflowId, async (run) => {
    requireOpen(run);
    await run.handle.cancel();
    const message = `${workflowId} ends; training writes a checkpoint first`;
    if (json) return printJson({ workflowId, message });
    await printResult(
      [
        message,
        `  \`${nautilCommand('progress', workflowId)}\` shows whether it has ended, \`${nautilCommand('resume', workflowId)}\` then continues it`,
      ].join('\n'),
    );
  });
}

async function ask(workflowId: string, { name, request }: Control, json?: true): Promise<void> {
  const { withRun } = await import('../find-run.js');
  await withRun(workflowId, async (run) => {
    requireOpen(run);
    if (run.description.type === 'sweep') throw await isSweep(run, name);
    const { message, paused } = await updateOf(run, request);
    if (json) return printJson({ workflowId, paused, message });
    const next = paused
      ? `\`${nautilCommand('continue', workflowId)}\` continues it`
      : `\`${nautilCommand('resume', workflowId)}\` follows it`;
    await printResult(`${workflowId}: ${message}\n  ${next}`);
  });
}

/** How long an update waits for a worker that polls the queue of the run. */
const answerTimeoutMs = 30_000;

async function updateOf({ handle, description: { taskQueue } }: FoundRun, request: string): Promise<ControlAnswer> {
  const [{ WorkflowUpdateFailedError }, { pollingOf }] = await Promise.all([
    import('@temporalio/client'),
    import('../polling-of.js'),
  ]);
  const { isPolled } = await pollingOf(handle);
  if (!isPolled) throw noWorkerAt(taskQueue);
  try {
    return await handle.client.withDeadline(Date.now() + answerTimeoutMs, () =>
      handle.executeUpdate<ControlAnswer, []>(request),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) throw refusal(handle, error.cause ?? error);
    if (isTimeout(error)) throw noWorkerAt(taskQueue);
    throw error;
  }
}

/** The deadline of a call has passed; the SDK has several classes for it. */
const isTimeout = (error: unknown): boolean =>
  error instanceof Error && /deadline|timed? ?out/i.test(`${error.name} ${error.message}`);

const noWorkerAt = (taskQueue: string): NoWorker =>
  new NoWorker(`no worker answers on the task queue ${taskQueue}`, {
    hint: `\`npx nautil status\` shows what is running; \`${startWorkerCommand(taskQueue)}\` starts a worker`,
  });

/** The workflow's reason begins with the name of the update, for readers of its history. */
const refusal = ({ workflowId }: WorkflowHandle, cause: Error): RequestRefused =>
  new RequestRefused(`${workflowId}: ${cause.message.replace(/^\w+: /, '')}`, {
    hint: `\`${nautilCommand('progress', workflowId)}\` shows the state of the run`,
    cause,
  });

function requireOpen({ handle: { workflowId }, description: { status } }: FoundRun): void {
  if (status.name === 'RUNNING' || status.name === 'PAUSED') return;
  throw new RequestRefused(`${workflowId} has ended: it is ${status.name.toLowerCase().replaceAll('_', ' ')}`, {
    hint:
      status.name === 'COMPLETED'
        ? `\`${nautilCommand('runs', 'show', workflowId)}\` shows its scores`
        : `\`${nautilCommand('resume', workflowId)}\` continues it`,
  });
}

/** A sweep starts its trials itself, and each of them is paused or stopped by its own name. */
async function isSweep({ handle }: FoundRun, name: Control['name']): Promise<RequestRefused> {
  const progress = await handle.client
    .withDeadline(Date.now() + answerTimeoutMs, () => handle.query<SweepProgress>(progressQuery))
    .catch(() => undefined);
  const running = progress?.rows.filter(({ state }) => state === 'running') ?? [];
  return new RequestRefused(`${handle.workflowId} is a sweep, and only runs can be told to ${name}`, {
    hint:
      running.length === 0
        ? `\`${nautilCommand('progress', handle.workflowId)}\` lists its trials; \`${nautilCommand('cancel', handle.workflowId)}\` ends all of them`
        : ['its running trials are:', ...running.map(({ workflowId }) => nautilCommand(name, workflowId))].join('\n'),
  });
}
