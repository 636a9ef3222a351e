import type { WorkflowHandle } from '@temporalio/client';
import type { Progress, TextClassificationResult } from '@nautil/contracts';
import { type FollowOptions, followWorkflow } from './follow-workflow.js';
import { printOutcome } from './print-outcome.js';
import { RunPolls } from './run-polls.js';
import { RunScreen } from './terminal/run-screen.js';

/**
 * Shows the progress of a run until it ends, then its result. Ctrl-C ends the command; the run continues.
 *
 * @throws an error with the run's own type, message and hint when it failed
 */
export async function followRun(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  const { workflowId } = handle;
  let logDir: string | undefined;
  let screen: RunScreen | undefined;
  await followWorkflow<Progress, TextClassificationResult>(handle, options, {
    noun: 'run',
    showProgress: (display) => {
      const shown = new RunScreen(display);
      screen = shown;
      const polls = new RunPolls(handle, (message) => {
        display.warn(message);
      });
      return async (progress) => {
        logDir = progress.logDir;
        shown.show(await polls.complete(progress));
      };
    },
    printResult: (result, temporalUrl) =>
      printOutcome({
        ...result,
        ...{ workflowId, again: ['resume', workflowId], logDir, temporalUrl },
        tablesShown: screen?.tablesShown,
      }),
  });
}
