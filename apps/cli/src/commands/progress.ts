import type { Command } from 'commander';
import {
  defineError,
  findingLine,
  nautilCommand,
  type Progress,
  progressQuery,
  scoresSentence,
  type SweepProgress,
  type TextClassificationResult,
} from '@nautil/contracts';
import type { FoundRun } from '../find-run.js';
import { examples } from '../help.js';
import { printJson, printResult } from '../output.js';
import { startWorkerCommand } from '../start-worker-command.js';
import { formatFact } from '../terminal/format-fact.js';
import { proseWidth, terminalWidth } from '../terminal/terminal-width.js';

/** No worker can answer for the run. */
class NoAnswer extends defineError('NoAnswer', 'environment', { retryable: true }) {}

export function addProgress(program: Command): void {
  program
    .command('progress')
    .summary('show how far a run or a sweep is')
    .description(
      'Shows the stages of a run and how far its training is, or the trials of a sweep, once. `nautil resume` follows a run that goes on.',
    )
    .argument('<workflow-id>', 'the name of the run or sweep')
    .option('--json', 'print the answer of the workflow as JSON')
    .addHelpText('after', examples('progress sst2-20261123-231500', "progress sst2 --json | jq '.training.step'"))
    .action(showProgress);
}

async function showProgress(workflowId: string, { json }: { json?: true }): Promise<void> {
  const { withRun } = await import('../find-run.js');
  await withRun(workflowId, async (run) => {
    const progress = await answerOf(run);
    if (json) return printJson(progress);
    const width = terminalWidth();
    if ('rows' in progress) {
      const { formatSweep } = await import('../format-sweep.js');
      return printResult(`${workflowId}: ${stateOf(run)}\n\n${formatSweep(progress, { width })}`);
    }
    const [{ formatProgress }, { newestTraining }] = await Promise.all([
      import('../terminal/format-progress.js'),
      import('../newest-training.js'),
    ]);
    const training = await newestTraining(run.handle, progress, () => undefined);
    const lines = formatProgress({ ...progress, training }, { width });
    const { failure, mlflowUrl, result } = progress;
    await printResult(
      [
        `${workflowId}: ${progress.paused ? 'paused' : stateOf(run)}`,
        ...(mlflowUrl === undefined ? [] : [`MLflow: ${mlflowUrl}`]),
        '',
        ...lines,
        ...(failure === undefined ? [] : ['', failure.message]),
        ...outcomeOf(result, proseWidth()),
        ...nextOf(run, progress.paused),
      ].join('\n'),
    );
  });
}

const stateOf = ({ description: { status } }: FoundRun): string => status.name.toLowerCase().replaceAll('_', ' ');

/** The scores of the packaged weights, and what may be wrong with them. */
function outcomeOf(result: TextClassificationResult | undefined, width: number): string[] {
  if (result === undefined) return [];
  const { weights, findings = [] } = result;
  const scores = [result.scores, result.validation].filter((one) => one !== undefined);
  return [
    '',
    ...scores.map((one) => formatFact('scores', `${scoresSentence(one)} (the ${weights} weights)`, width)),
    ...findings.map((finding) => formatFact('problem', findingLine(finding), width)),
  ];
}

/** What can be done with the run next. */
function nextOf({ handle: { workflowId }, description: { status } }: FoundRun, isPaused: boolean): string[] {
  if (isPaused) return ['', `\`${nautilCommand('continue', workflowId)}\` continues it`];
  if (status.name === 'RUNNING') return ['', `\`${nautilCommand('resume', workflowId)}\` follows it`];
  if (status.name === 'COMPLETED') return ['', `\`${nautilCommand('runs', 'show', workflowId)}\` shows its scores`];
  return ['', `\`${nautilCommand('resume', workflowId)}\` continues it`];
}

const answerTimeoutMs = 10_000;

async function answerOf(run: FoundRun): Promise<Progress | SweepProgress> {
  const { handle, description } = run;
  try {
    return await handle.client.withDeadline(Date.now() + answerTimeoutMs, () =>
      handle.query<Progress | SweepProgress>(progressQuery),
    );
  } catch (error) {
    throw new NoAnswer(
      `${handle.workflowId} is ${stateOf(run)}, and no worker on the task queue ${description.taskQueue} answers how far it is`,
      {
        hint: `\`${nautilCommand('status')}\` shows what is running; \`${startWorkerCommand(description.taskQueue)}\` starts a worker`,
        cause: error,
      },
    );
  }
}
