import { posix } from 'node:path';
import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import type { MlflowClient } from './mlflow-client.js';

const parseArtifacts = jsonParser(
  Type.Object({ files: Type.Optional(Type.Array(Type.Object({ path: Type.String() }))) }),
);

/** Whether a run has an artifact with the given path inside the run. */
export async function hasArtifact(client: MlflowClient, runId: string, path: string): Promise<boolean> {
  const folder = posix.dirname(path);
  const query = { run_id: runId, path: folder === '.' ? undefined : folder };
  const { files = [] } = await client.call('GET', 'artifacts/list', parseArtifacts, { query });
  return files.some((file) => file.path === path);
}
