import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

/** A worker polls at least once a minute. The server lists one that was killed for another five minutes. */
const pollIntervalMs = 70_000;

/** The task queue of a workflow, and whether a worker polled it within the last minute. */
export async function pollingOf(handle: WorkflowHandle): Promise<{ taskQueue: string; isPolled: boolean }> {
  const { taskQueue } = await handle.describe();
  const { pollers } = await handle.client.workflowService.describeTaskQueue({
    namespace: handle.client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });
  // A time in the future is from before the clock was set back.
  const isRecent = (seconds: number): boolean => Math.abs(Date.now() - seconds * 1000) <= pollIntervalMs;
  const isPolled = pollers.some(({ lastAccessTime }) => isRecent(Number(lastAccessTime?.seconds ?? 0)));
  return { taskQueue, isPolled };
}
