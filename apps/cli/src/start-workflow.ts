import { type Client, WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { nautilCommand, UsageError } from '@nautil/contracts';

/**
 * Starts a workflow.
 *
 * @throws UsageError when a workflow with this id is running
 */
export async function startWorkflow(
  client: Client,
  type: string,
  options: { workflowId: string; taskQueue: string; args: unknown[] },
): Promise<WorkflowHandle> {
  try {
    return await client.workflow.start(type, options);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { workflowId } = options;
    throw new UsageError(`${workflowId} is running already`, {
      hint: `\`${nautilCommand('resume', workflowId)}\` follows it; give another --workflow-id to start a second one`,
      cause: error,
    });
  }
}
