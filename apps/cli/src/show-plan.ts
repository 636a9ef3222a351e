import { planRun } from '@nautil/activities';
import { defineError, nautilCommand, type RunRequest } from '@nautil/contracts';
import { stackAddresses } from '@nautil/stack';
import { Trainers } from '@nautil/trainer-process';
import { formatPlan } from './format-plan.js';
import { interruption } from './interruption.js';
import { printJson, printMessage, printResult } from './output.js';
import { formatFact } from './terminal/format-fact.js';
import { proseWidth } from './terminal/terminal-width.js';

/** A run needs more memory or disk space than there is, or what it needs can't be downloaded. */
class RunWouldFail extends defineError('RunWouldFail', 'environment') {}

const problemTitles = { fit: 'the run does not fit', download: 'the run would fail at its download' };

/**
 * Prints the plan of a run, which is not started.
 *
 * @param request - checked by `checkRequest`
 * @throws RunWouldFail after the plan is printed; what `planRun` throws
 */
export async function showPlan(
  request: Omit<RunRequest, 'runKey' | 'taskQueue'>,
  { cwd, json }: { cwd: string; json: boolean },
): Promise<void> {
  const trainers = new Trainers();
  const plan = await planRun(request, {
    cwd,
    trackingUri: stackAddresses().mlflowTrackingUri,
    signal: interruption,
    onProgress: (detail) => {
      printMessage(`${detail} …`);
    },
    measure: (o) =>
      trainers.run({
        task: { do: 'measure', ...o },
        signal: interruption,
        onWait: printMessage,
        onStarted: (running) => {
          interruption.addEventListener('abort', () => {
            running.kill();
          });
        },
      }),
  });
  if (json) await printJson(plan);
  else await printResult(formatPlan(plan, proseWidth()));
  const { problems } = plan;
  if (problems.length === 0) {
    const words = process.argv.slice(2).filter((word) => word !== '--dry-run');
    if (!json) await printResult(`\n${formatFact('start it', nautilCommand(...words), Infinity)}`);
    return;
  }
  throw new RunWouldFail(problems.map(({ kind, message }) => `${problemTitles[kind]}: ${message}`).join('\n'), {
    hint: problems.map(({ hint }) => hint).join('\n'),
  });
}
