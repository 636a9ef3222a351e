import type { TextClassificationResult, TrialEnd } from '@nautil/contracts';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailureCategory } from '@temporalio/common';

/** Until it is asked again. */
const againAfter = '2 seconds';

/**
 * How a trial ended that an earlier execution of its sweep started. One that still runs is an attempt that failed, and is
 * asked for again: waiting here would keep the trial's own stages from the worker.
 */
export async function awaitTrial({ workflowId }: { workflowId: string }): Promise<TrialEnd> {
  const trial = Context.current().client.workflow.getHandle(workflowId);
  try {
    const { status } = await trial.describe();
    if (status.name === 'RUNNING') throw stillRuns(workflowId);
    return { completed: true, result: (await trial.result()) as TextClassificationResult };
  } catch (error) {
    if (error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError) return { completed: false };
    throw error;
  }
}

const stillRuns = (workflowId: string): ApplicationFailure =>
  ApplicationFailure.create({
    message: `trial ${workflowId} still runs; its end is waited for`,
    type: 'TrialRuns',
    nextRetryDelay: againAfter,
    category: ApplicationFailureCategory.BENIGN,
  });
