import type { SweepActivities, TextClassificationInput, TextClassificationResult, TrialRow } from '@nautil/contracts';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowCancellationType, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { textClassification } from './text-classification.js';

/** What a trial gave, and whether it was finished before. */
export interface TrialOutcome {
  result: TextClassificationResult;
  reused: boolean;
}

/**
 * Runs a trial as a child workflow. One that an earlier execution of the sweep completed is not run again; one that this
 * execution finds still ending is waited for, and started again unless it completed.
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
        // A sweep that is killed leaves its trials a checkpoint, not the devices busy.
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
