import { type MlflowClient, noContent } from './mlflow-client.js';
import { undefinedIfMissing } from './undefined-if-missing.js';

/** Removes a tag of a run; does nothing when the run has no such tag. */
export async function deleteTag(client: MlflowClient, runId: string, key: string): Promise<void> {
  await undefinedIfMissing(() => client.call('POST', 'runs/delete-tag', noContent, { json: { run_id: runId, key } }));
}
