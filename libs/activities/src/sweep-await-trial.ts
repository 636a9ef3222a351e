import type { TextClassificationResult, TrialEnd } from '@nautil/contracts';
import { Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';

const heartbeatMs = 2_000;

/** Waits until a trial that an earlier execution of its sweep started has ended, however it ends. */
export async function awaitTrial({ workflowId }: { workflowId: string }): Promise<TrialEnd> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), heartbeatMs);
  const ended = context.client.workflow
    .getHandle(workflowId)
    .result()
    .then(
      (result): TrialEnd => ({ completed: true, result: result as TextClassificationResult }),
      (error: unknown): TrialEnd => {
        if (error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError) return { completed: false };
        throw error;
      },
    );
  ended.catch(() => undefined); // when cancelled, nobody hears of it
  try {
    return await Promise.race([ended, context.cancelled]);
  } finally {
    clearInterval(timer);
  }
}
