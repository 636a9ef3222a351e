import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { formatError, NautilError } from '@nautil/contracts';
import { findJournals } from '@nautil/mlflow';
import { stackAddresses } from '@nautil/stack';
import type { GarbageOptions } from '@nautil/store/garbage';
import { connectToTemporal } from './connect-to-temporal.js';
import { printMessage } from './output.js';

/**
 * Decides for garbage collection which folders of runs are needed: those with an open workflow, and those whose journal holds
 * records that MLflow lacks, and with `keepsUnfinished` those of runs that can be resumed. Without Temporal no workflow is known to be closed, so all folders are kept, with a warning.
 */
export async function findOpenRuns(o: { keepsUnfinished?: boolean } = {}): Promise<{
  reasonToKeep: GarbageOptions['reasonToKeep'];
  close: () => Promise<void>;
}> {
  const connected = await connectToTemporal(stackAddresses().temporal).catch((error: unknown) => {
    if (!(error instanceof NautilError)) throw error;
    printMessage(`${formatError(error)}\nit is unknown which runs are open: the folders of all runs are kept`);
    return undefined;
  });
  return {
    reasonToKeep: async ({ folder, workflowId }) => {
      if (!connected) return 'it is unknown whether its workflow is open';
      if (workflowId !== undefined && (await isOpen(connected.client, workflowId)))
        return `workflow ${workflowId} is open`;
      const journals = await findJournals(folder);
      const unsent = journals.reduce((sum, journal) => sum + journal.unsent, 0);
      if (unsent > 0) return `${unsent} records have not been sent to MLflow: \`npx nautil runs sync\``;
      const isUnfinished = journals.some(({ status }) => status !== 'FINISHED');
      return o.keepsUnfinished && isUnfinished ? 'it has not finished, and can be resumed' : undefined;
    },
    close: async () => connected?.close(),
  };
}

async function isOpen({ workflow }: Client, workflowId: string): Promise<boolean> {
  try {
    const { status } = await workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
