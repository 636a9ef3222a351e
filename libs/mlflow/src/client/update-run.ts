import { type MlflowClient, noContent } from './mlflow-client.js';
import type { RunStatus } from './run.js';

/** Sets the status of a run and, when it has ended, the time. */
export async function updateRun(
  client: MlflowClient,
  runId: string,
  o: {
    status: RunStatus;

    /** Milliseconds since the epoch. */
    endTime?: number;
  },
): Promise<void> {
  const json = { run_id: runId, status: o.status, end_time: o.endTime };
  await client.call('POST', 'runs/update', noContent, { json });
}
