import {
  defaultTaskQueue,
  NautilError,
  progressQuery,
  stages,
  type Progress,
  type Stage,
  type SweepProgress,
} from '@nautil/contracts';
import type { WorkflowHandle } from '@temporalio/client';
import { Option, type Command } from 'commander';
import { examples } from '../program.js';

interface ResumeOptions {
  from?: Stage;
  taskQueue: string;
  detach?: true;
  json?: true;
}

/** There is nothing under that id that could be gone on with. */
class NotResumable extends NautilError {
  override readonly name = 'NotResumable';
  readonly kind = 'usage';
}

export function register(program: Command): void {
  program
    .command('resume')
    .description('Goes on with a run or a sweep that failed or was cancelled; follows one that still runs.')
    .argument('<workflow-id>', 'the name of the run or sweep')
    .addOption(new Option('--from <stage>', 'make this stage of a run and those after it again').choices([...stages]))
    .option('--task-queue <queue>', 'where workers wait', defaultTaskQueue)
    .option('--detach', 'start it and return')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `${examples('resume sst2-20261123-231500', 'resume sst2-20261123-231500 --from evaluate', 'resume sweep-20261123-231500')}

Stages that are done are not done again, training goes on from its last checkpoint, and no finished trial of a sweep is run again.`,
    )
    .action(resume);
}

async function resume(workflowId: string, options: ResumeOptions): Promise<void> {
  const [{ stackAddresses }, { connectToTemporal }, { WorkflowNotFoundError }] = await Promise.all([
    import('@nautil/stack'),
    import('../connect-to-temporal.js'),
    import('@temporalio/client'),
  ]);
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporalAddress);
  try {
    const handle = client.workflow.getHandle(workflowId);
    const { status, type } = await handle.describe().catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw new NotResumable(`there is no run or sweep ${workflowId} at ${addresses.temporalAddress}`, {
        hint: '`temporal workflow list` shows those that there are',
      });
    });
    const isSweep = type === 'sweep';
    if (options.from && (isSweep || status.name === 'RUNNING')) {
      const why = isSweep ? 'a sweep, which has no stages' : 'still running';
      throw new NotResumable(`${workflowId} is ${why}: --from ${options.from} does nothing`, {
        hint: isSweep ? 'resume one of its trials, by its own id' : 'cancel it first, or resume it without --from',
      });
    }
    if (status.name !== 'RUNNING') {
      const input = isSweep ? await sweepInputOf(handle) : await runInputOf(handle, options.from);
      await client.workflow.start(type, { workflowId, taskQueue: options.taskQueue, args: [input] });
    }
    const shown = { ...options, uiUrl: addresses.temporalUiUrl };
    const latest = client.workflow.getHandle(workflowId);
    if (isSweep) await import('../follow-sweep.js').then(({ followSweep }) => followSweep(latest, shown));
    else await import('../follow-run.js').then(({ followRun }) => followRun(latest, shown));
  } finally {
    await close();
  }
}

/** What a sweep was asked for, again: it finds its trials by what they vary. */
async function sweepInputOf(handle: WorkflowHandle): Promise<object> {
  const { input } = await handle.query<SweepProgress>(progressQuery);
  return input;
}

async function runInputOf(handle: WorkflowHandle, from: Stage | undefined): Promise<object> {
  const { runKey } = await handle.query<Progress>(progressQuery);
  return { runKey, ...(from ? { from } : {}) };
}
