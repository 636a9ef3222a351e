import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';

const timeoutMs = 20_000;

/** Polls the condition until it holds. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const begun = Date.now();
  while (!(await condition())) {
    if (Date.now() - begun > timeoutMs)
      throw new Error(`the condition did not hold within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(20);
  }
}

/** The failure of a workflow, or its result when it succeeds. */
export async function failureOfRun(handle: WorkflowHandle): Promise<unknown> {
  try {
    return await handle.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause;
    throw error;
  }
}
