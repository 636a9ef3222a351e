import {
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { defineError, listed, nautilCommand } from '@nautil/contracts';
import { type StackAddresses, stackAddresses } from '@nautil/stack';
import { connectToTemporal } from './connect-to-temporal.js';
import { nearestNames } from './nearest-names.js';

/** No run or sweep has this name. */
class UnknownRun extends defineError('UnknownRun', 'usage') {}

/** A run or a sweep that Temporal knows: its newest execution. */
export interface FoundRun {
  client: Client;
  handle: WorkflowHandle;
  description: WorkflowExecutionDescription;
  addresses: StackAddresses;
}

/** The number of the newest workflows among which similar names are looked for. */
const searched = 1000;

/**
 * Connects to Temporal, and uses a run or a sweep.
 *
 * @throws UnknownRun, which names similar ones; TemporalUnreachable
 */
export async function withRun<T>(workflowId: string, use: (run: FoundRun) => Promise<T>): Promise<T> {
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporal);
  try {
    const handle = client.workflow.getHandle(workflowId);
    const description = await handle.describe().catch(async (error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw new UnknownRun(`there is no run or sweep ${workflowId} at ${addresses.temporal.address}`, {
        hint: await hintFor(workflowId, client),
      });
    });
    return await use({ client, handle, description, addresses });
  } finally {
    await close();
  }
}

async function hintFor(workflowId: string, client: Client): Promise<string> {
  const list = `\`${nautilCommand('temporal', 'workflow', 'list')}\` lists them`;
  const nearest = nearestNames(workflowId, await idsAt(client));
  return nearest.length === 0 ? list : `did you mean ${listed(nearest)}? ${list}`;
}

async function idsAt({ workflow }: Client): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of workflow.list({ pageSize: searched })) {
    ids.push(workflowId);
    if (ids.length === searched) break;
  }
  return ids;
}
