import { type MlflowClient, noContent } from './mlflow-client.js';

/** Marks a run as deleted; MLflow keeps its data until its garbage collection. */
export async function deleteRun(client: MlflowClient, runId: string): Promise<void> {
  await client.call('POST', 'runs/delete', noContent, { json: { run_id: runId } });
}
