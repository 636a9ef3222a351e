import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';

const patienceMs = 20_000;

/** Resolves when the condition holds; it is asked again and again. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const begun = Date.now(); !(await condition()); await sleep(20)) {
    if (Date.now() - begun > patienceMs) throw new Error(`it did not come about within ${patienceMs} ms: ${condition}`);
  }
}

/** What a workflow failed with, or its result. */
export async function failureOfRun(handle: WorkflowHandle): Promise<unknown> {
  try {
    return await handle.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause;
    throw error;
  }
}
