import { ApplicationFailure, Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { TextClassificationResult, TrialEnd } from '@nautil/contracts';

/** Interval between two attempts. */
const retryDelay = '2 seconds';

/**
 * The outcome of a trial that an earlier execution of its sweep started. While the trial is running, the attempt fails and is
 * retried: an activity that waited would occupy a slot that the trial's own stages may need.
 */
export async function awaitTrial({ workflowId }: { workflowId: string }): Promise<TrialEnd> {
  const trial = Context.current().client.workflow.getHandle(workflowId);
  try {
    const { status } = await trial.describe();
    if (status.name === 'RUNNING') throw stillRunning(workflowId);
    return { completed: true, result: (await trial.result()) as TextClassificationResult };
  } catch (error) {
    if (error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError) return { completed: false };
    throw error;
  }
}

const stillRunning = (workflowId: string): ApplicationFailure =>
  ApplicationFailure.create({
    message: `trial ${workflowId} is still running; polling continues until it ends`,
    type: 'TrialRuns',
    nextRetryDelay: retryDelay,
    category: ApplicationFailureCategory.BENIGN,
  });
