import type { Client, WorkflowHandle } from '@temporalio/client';
import { type Command, Option } from 'commander';
import {
  defineError,
  nautilCommand,
  type Progress,
  progressQuery,
  type Stage,
  stageNames,
  type SweepInput,
  type TextClassificationInput,
} from '@nautil/contracts';
import { addWorkflowOptions, examples, type WorkflowFlags } from '../help.js';

interface ResumeOptions extends WorkflowFlags {
  from?: Stage;
}

/** No run or sweep of that name can be resumed in this way. */
class NotResumable extends defineError('NotResumable', 'usage') {}

export function addResume(program: Command): void {
  const command = program
    .command('resume')
    .summary('continue a run or a sweep, from a stage or with other overrides')
    .description(
      'Continues a run or a sweep that failed, was cancelled or has ended; follows one that is still running.',
    )
    .argument('<workflow-id>', 'the name of the run or sweep')
    .argument('[overrides...]', 'overrides that are added to those of a run; the stages that they affect are repeated')
    .addOption(new Option('--from <stage>', 'repeat this stage of a run and all later ones').choices([...stageNames]));
  addWorkflowOptions(command)
    .addHelpText(
      'after',
      `${examples(
        'resume sst2-20261123-231500',
        'resume sst2-20261123-231500 --from evaluate',
        'resume sst2-20261123-231500 model.test_ds.file_path=reviews.tsv',
        'resume sweep-20261123-231500',
      )}

Completed stages are not repeated, training continues from its last checkpoint, and no finished trial of a sweep is run again.
With overrides, it is a new run under the same name, with an MLflow run of its own; it trains again only if the overrides
affect training.

--from does what \`temporal workflow reset\` does, with the name of a stage instead of an event's number.`,
    )
    .action(resume);
}

async function resume(workflowId: string, overrides: string[], options: ResumeOptions): Promise<void> {
  const { from } = options;
  if (from && overrides.length > 0) {
    throw new NotResumable(`--from ${from} and ${overrides.join(' ')} cannot be combined`, {
      hint: 'without --from, the stages that the overrides affect are repeated',
    });
  }
  const [{ startWorkflow }, { withRun }] = await Promise.all([
    import('../start-workflow.js'),
    import('../find-run.js'),
  ]);
  await withRun(workflowId, async ({ client, handle, description, addresses }) => {
    const { status, type, runId } = description;
    const isSweep = type === 'sweep';
    const changes = from ? `--from ${from}` : overrides.join(' ');
    if (changes && (isSweep || status.name === 'RUNNING')) {
      const why = isSweep ? 'a sweep' : 'still running';
      throw new NotResumable(`${workflowId} is ${why}: ${changes} has no effect`, {
        hint: isSweep
          ? 'resume one of its trials, by its own id'
          : `cancel it first (\`${nautilCommand('cancel', workflowId)}\`), or follow it without ${from ? '--from' : 'overrides'}`,
      });
    }
    if (status.name !== 'RUNNING') {
      const start = await readStart(client, { workflowId, runId });
      // A sweep starts with the same input: it finds its trials by the values that they vary.
      const input = isSweep
        ? { ...start.input, continued: undefined }
        : runAgain(start, { workflowId, from, overrides, home: await findHomeQueue(client, handle) });
      await startWorkflow(client, type, { workflowId, taskQueue: options.taskQueue, args: [input] });
    }
    const shown = { ...options, uiUrl: addresses.temporalUiUrl, temporal: addresses.temporal };
    const latest = client.workflow.getHandle(workflowId);
    if (isSweep) await import('../follow-sweep.js').then(({ followSweep }) => followSweep(latest, shown));
    else await import('../follow-run.js').then(({ followRun }) => followRun(latest, shown));
  });
}

/** The input of a run or of a sweep. */
type AnyInput = TextClassificationInput & Partial<SweepInput>;

/** The input of an execution, read from its history, for which no worker is needed. */
async function readStart(
  client: Client,
  execution: { workflowId: string; runId: string },
): Promise<{ input: AnyInput; firstRunId: string }> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution,
    maximumPageSize: 1,
  });
  const { defaultPayloadConverter } = await import('@temporalio/client');
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const [payload] = started?.input?.payloads ?? [];
  const input = payload ? defaultPayloadConverter.fromPayload<AnyInput>(payload) : {};
  const firstRunId = started?.firstExecutionRunId ?? '';
  return { input, firstRunId: firstRunId === '' ? execution.runId : firstRunId };
}

/** The task queue of the workers that have the run's files. Undefined if no worker answers: the run then continues on any of them. */
async function findHomeQueue(client: Client, handle: WorkflowHandle): Promise<string | undefined> {
  const query = client.withDeadline(Date.now() + 10_000, () => handle.query<Progress>(progressQuery));
  return query.then(
    ({ home }) => home,
    () => undefined,
  );
}

/** The input that repeats a run, or with overrides starts a new one, which reuses the common stages by their content. */
function runAgain(
  { input, firstRunId }: { input: TextClassificationInput; firstRunId: string },
  {
    workflowId,
    from,
    overrides,
    home,
  }: { workflowId: string; from?: Stage | undefined; overrides: string[]; home?: string | undefined },
): TextClassificationInput {
  const { runKey = firstRunId, ...repeated } = { ...input, from: undefined, continued: undefined };
  if (overrides.length === 0) return { ...repeated, runKey, home: home ?? input.home, from };
  if (input.overrides === undefined && input.runKey !== undefined) {
    throw new NotResumable(`the history of ${workflowId} no longer has its overrides`, {
      hint: `start it with all its overrides: \`${nautilCommand('run', '--workflow-id', workflowId)} …\``,
    });
  }
  return { ...repeated, overrides: [...(input.overrides ?? []), ...overrides] };
}
