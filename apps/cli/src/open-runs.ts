import { formatError, NautilError } from '@nautil/contracts';
import { findJournals } from '@nautil/mlflow';
import { stackAddresses } from '@nautil/stack';
import type { GarbageOptions } from '@nautil/store/garbage';
import { WorkflowNotFoundError } from '@temporalio/client';
import { connectToTemporal } from './connect-to-temporal.js';

/**
 * Says of a run whether its folder is needed: its workflow is open, or MLflow lacks rows that only its journal has. Without
 * Temporal nobody knows which workflows are open: then all are taken for open, which is said.
 */
export async function openRunsKnown(): Promise<{
  reasonToKeep: GarbageOptions['reasonToKeep'];
  close: () => Promise<void>;
}> {
  const connected = await connectToTemporal(stackAddresses().temporalAddress).catch((error: unknown) => {
    if (!(error instanceof NautilError)) throw error;
    console.error(`${formatError(error)}\nwhich runs are open is not known: the folders of all runs are kept`);
    return undefined;
  });
  return {
    reasonToKeep: async ({ folder, workflowId }) => {
      if (!connected) return { why: 'whether its workflow is open is not known', needsStages: true };
      if (workflowId !== undefined && (await isOpen(connected.client, workflowId)))
        return { why: `workflow ${workflowId} is open`, needsStages: true };
      const unsent = (await findJournals(folder)).reduce((sum, journal) => sum + journal.unsent, 0);
      if (unsent === 0) return undefined;
      return { why: `${unsent} records are not sent to MLflow: \`npx nautil runs sync\``, needsStages: false };
    },
    close: async () => connected?.close(),
  };
}

async function isOpen(
  { workflow }: Awaited<ReturnType<typeof connectToTemporal>>['client'],
  workflowId: string,
): Promise<boolean> {
  try {
    const { status } = await workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
