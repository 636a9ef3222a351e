import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowCancellationType, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { SweepActivities, TextClassificationInput, TextClassificationResult, TrialRow } from '@nautil/contracts';
import type { textClassification } from './text-classification.js';

/** The result of a trial. `reused`: an earlier execution of the sweep had completed it. */
export interface TrialOutcome {
  result: TextClassificationResult;
  reused: boolean;
}

/**
 * Runs a trial as a child workflow. A trial that an earlier execution of the sweep completed is not run again. A trial that
 * an earlier execution started and that is still ending is awaited, and then started again unless it has completed.
 */
export async function runTrial(
  { workflowId, overrides }: TrialRow,
  input: TextClassificationInput,
  { awaitTrial }: Pick<SweepActivities, 'awaitTrial'>,
): Promise<TrialOutcome> {
  for (;;) {
    try {
      const child = await startChild<typeof textClassification>('textClassification', {
        workflowId,
        args: [input],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        // When a sweep is terminated, its trials write a checkpoint and free their devices.
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: overrides.join(' '),
      });
      return { result: await child.result(), reused: false };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    const end = await awaitTrial({ workflowId });
    if (end.completed) return { result: end.result, reused: true };
  }
}
