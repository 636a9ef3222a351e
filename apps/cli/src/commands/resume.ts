import {
  defaultTaskQueue,
  defineError,
  progressQuery,
  stageNames,
  type Progress,
  type Stage,
  type SweepInput,
  type TextClassificationInput,
} from '@nautil/contracts';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { Option, type Command } from 'commander';
import { examples } from '../program.js';

interface ResumeOptions {
  from?: Stage;
  taskQueue: string;
  detach?: true;
  json?: true;
}

/** There is nothing under that id that could be gone on with. */
class NotResumable extends defineError('NotResumable', 'usage') {}

export function register(program: Command): void {
  program
    .command('resume')
    .summary('go on with a run or a sweep, from a stage or with another configuration')
    .description('Goes on with a run or a sweep that failed, was cancelled or is done; follows one that still runs.')
    .argument('<workflow-id>', 'the name of the run or sweep')
    .argument('[overrides...]', 'overrides of a run that go after its own: what they change is made anew')
    .addOption(
      new Option('--from <stage>', 'make this stage of a run and those after it again').choices([...stageNames]),
    )
    .option('--task-queue <queue>', 'where workers wait', defaultTaskQueue)
    .option('--detach', 'start it and return')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `${examples(
        'resume sst2-20261123-231500',
        'resume sst2-20261123-231500 --from evaluate',
        'resume sst2-20261123-231500 model.test_ds.file_path=reviews.tsv',
        'resume sweep-20261123-231500',
      )}

Stages that are done are not done again, training goes on from its last checkpoint, and no finished trial of a sweep is run
again. With overrides it is a new run under the same name, with an MLflow run of its own: it trains only if they change
what training depends on.

--from is what \`temporal workflow reset\` is for elsewhere, by a stage's name in place of an event's number.`,
    )
    .action(resume);
}

async function resume(workflowId: string, overrides: string[], options: ResumeOptions): Promise<void> {
  const { from } = options;
  if (from && overrides.length > 0) {
    throw new NotResumable(`--from ${from} and ${overrides.join(' ')}: one of them at a time`, {
      hint: 'what overrides change is made anew without --from',
    });
  }
  const [{ stackAddresses }, { connectToTemporal }, { WorkflowNotFoundError }] = await Promise.all([
    import('@nautil/stack'),
    import('../connect-to-temporal.js'),
    import('@temporalio/client'),
  ]);
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporalAddress);
  try {
    const handle = client.workflow.getHandle(workflowId);
    const { status, type, runId } = await handle.describe().catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw new NotResumable(`there is no run or sweep ${workflowId} at ${addresses.temporalAddress}`, {
        hint: '`temporal workflow list` shows those that there are',
      });
    });
    const isSweep = type === 'sweep';
    const asked = from ? `--from ${from}` : overrides.join(' ');
    if (asked && (isSweep || status.name === 'RUNNING')) {
      const why = isSweep ? 'a sweep' : 'still running';
      throw new NotResumable(`${workflowId} is ${why}: ${asked} does nothing`, {
        hint: isSweep
          ? 'resume one of its trials, by its own id'
          : `end it first (\`temporal workflow cancel -w ${workflowId}\`), or follow it without ${from ? '--from' : 'overrides'}`,
      });
    }
    if (status.name !== 'RUNNING') {
      const start = await startOf<TextClassificationInput & SweepInput>(client, { workflowId, runId });
      // A sweep is asked for the same again: it finds its trials by what they vary.
      const input = isSweep
        ? { ...start.input, continued: undefined }
        : runAgain(start, { workflowId, from, overrides, home: await homeOf(client, handle) });
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

/** What an execution was started with, as its history has it: no worker is needed to know. */
async function startOf<Input extends object>(
  client: Client,
  execution: { workflowId: string; runId: string },
): Promise<{ input: Input; firstRunId: string }> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution,
    maximumPageSize: 1,
  });
  const { defaultPayloadConverter } = await import('@temporalio/client');
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const [payload] = started?.input?.payloads ?? [];
  const input = payload ? defaultPayloadConverter.fromPayload<Input>(payload) : ({} as Input);
  return { input, firstRunId: started?.firstExecutionRunId || execution.runId };
}

/** Where the run's files are; without a worker to ask, the run goes on wherever one comes. */
async function homeOf(client: Client, handle: WorkflowHandle): Promise<string | undefined> {
  const asked = client.withDeadline(Date.now() + 10_000, () => handle.query<Progress>(progressQuery));
  return asked.then(
    ({ home }) => home,
    () => undefined,
  );
}

/** The same run again, or with overrides a new one that finds what it has in common with it by content. */
function runAgain(
  { input, firstRunId }: { input: TextClassificationInput; firstRunId: string },
  {
    workflowId,
    from,
    overrides,
    home,
  }: { workflowId: string; from?: Stage | undefined; overrides: string[]; home?: string | undefined },
): TextClassificationInput {
  const { runKey = firstRunId, ...asked } = { ...input, from: undefined, continued: undefined };
  if (overrides.length === 0) return { ...asked, runKey, home: home ?? input.home, from };
  if (input.overrides === undefined && input.runKey !== undefined) {
    throw new NotResumable(`what ${workflowId} was started with is not known any more`, {
      hint: `start it with all its overrides: \`nautil run --workflow-id ${workflowId} OVERRIDES\``,
    });
  }
  return { ...asked, overrides: [...(input.overrides ?? []), ...overrides] };
}
