import { writeFileAtomic } from '@nautil/store';
import { readableAsFolder } from '@nautil/store/folders';
import { readChunks } from '@nautil/store/streams';
import { type ArtifactLocation, artifactLocation } from './artifact-location.js';
import { MlflowError } from './errors.js';
import { getRun } from './get-run.js';
import type { MlflowClient } from './mlflow-client.js';

/** What to store: a local file, which is streamed whatever its size, or a text. */
export type ArtifactContent = { file: string } | { text: string };

/** Stores an artifact of a run at `path`, replacing an older one. */
export async function logArtifact(
  client: MlflowClient,
  runId: string,
  path: string,
  content: ArtifactContent,
): Promise<void> {
  const location = await locate(client, runId, path);
  if (location.through === 'server') {
    await client.send('PUT', location.path, content);
    return;
  }
  // It must survive a power cut, because the journal's position will say that it has been sent.
  await writeFileAtomic(location.path, 'file' in content ? readChunks(content.file) : content.text);
  await readableAsFolder(location.path);
}

async function locate(client: MlflowClient, runId: string, path: string): Promise<ArtifactLocation> {
  const run = await getRun(client, runId);
  if (!run) {
    throw new MlflowError(`MLflow at ${client.trackingUri} has no run ${runId}`, {
      status: 404,
      errorCode: 'RESOURCE_DOES_NOT_EXIST',
      endpoint: 'GET runs/get',
    });
  }
  return artifactLocation(run.info.artifactUri, path, client);
}
