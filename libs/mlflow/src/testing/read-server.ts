import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { allPages, nextPageToken } from '../client/all-pages.js';
import type { Dataset } from '../client/log-inputs.js';
import { fromWireMetric, type Metric, wireMetric } from '../client/metric.js';
import { type MlflowClient, noContent } from '../client/mlflow-client.js';

// What tests observe on an MLflow server and the product never reads.

const parseHistory = jsonParser(
  Type.Object({ metrics: Type.Optional(Type.Array(wireMetric)), next_page_token: nextPageToken }),
);

/** Every row of a metric, sorted by step and time. */
export async function metricHistory(client: MlflowClient, runId: string, key: string): Promise<Metric[]> {
  const rows = await allPages(undefined, async (page) => {
    const query = { run_id: runId, metric_key: key, ...page };
    const found = await client.call('GET', 'metrics/get-history', parseHistory, { query });
    return { items: (found.metrics ?? []).map(fromWireMetric), next: found.next_page_token };
  });
  return rows.sort((a, b) => a.step - b.step || a.timestampMs - b.timestampMs);
}

const parseArtifacts = jsonParser(
  Type.Object({
    files: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.String(),
          is_dir: Type.Boolean(),
          file_size: Type.Optional(Type.Union([Type.Number(), Type.String()])),
        }),
      ),
    ),
  }),
);

/** Paths of the artifacts of a run directly in a folder, by default the top one; a folder's path ends in a slash. */
export async function artifactPaths(client: MlflowClient, runId: string, folder?: string): Promise<string[]> {
  const query = { run_id: runId, path: folder };
  const { files = [] } = await client.call('GET', 'artifacts/list', parseArtifacts, { query });
  return files.map(({ path, is_dir }) => (is_dir ? `${path}/` : path));
}

const parseInputs = jsonParser(
  Type.Object({
    run: Type.Object({
      inputs: Type.Object({
        dataset_inputs: Type.Optional(
          Type.Array(
            Type.Object({
              tags: Type.Array(Type.Object({ key: Type.String(), value: Type.String() })),
              dataset: Type.Object({
                name: Type.String(),
                digest: Type.String(),
                source: Type.String(),
                profile: Type.String(),
              }),
            }),
          ),
        ),
      }),
    }),
  }),
);
const parseSource = jsonParser(Type.Object({ uri: Type.String() }));
const parseProfile = jsonParser(Type.Object({ num_rows: Type.Number() }));

/** The datasets of a run. */
export async function datasetsOf(client: MlflowClient, runId: string): Promise<Omit<Dataset, 'columns'>[]> {
  const { run } = await client.call('GET', 'runs/get', parseInputs, { query: { run_id: runId } });
  return (run.inputs.dataset_inputs ?? []).map(({ tags, dataset: { name, digest, source, profile } }) => ({
    name,
    digest,
    context: tags[0]?.value as Dataset['context'],
    source: parseSource(source, 'source').uri,
    rows: parseProfile(profile, 'profile').num_rows,
  }));
}

/** The content of an artifact. */
export async function artifactBytes(client: MlflowClient, runId: string, path: string): Promise<Buffer> {
  const response = await fetch(
    `${client.trackingUri}/get-artifact?${new URLSearchParams({ run_uuid: runId, path }).toString()}`,
  );
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

const parseTags = jsonParser(
  Type.Object({
    experiment: Type.Object({ tags: Type.Array(Type.Object({ key: Type.String(), value: Type.String() })) }),
  }),
);

export async function experimentTags(client: MlflowClient, experimentId: string): Promise<Record<string, string>> {
  const query = { experiment_id: experimentId };
  const { experiment } = await client.call('GET', 'experiments/get', parseTags, { query });
  return Object.fromEntries(experiment.tags.map(({ key, value }) => [key, value]));
}

export async function deleteExperiment(client: MlflowClient, experimentId: string): Promise<void> {
  await client.call('POST', 'experiments/delete', noContent, { json: { experiment_id: experimentId } });
}

const parseVersions = jsonParser(
  Type.Object({ model_versions: Type.Optional(Type.Array(Type.Object({ version: Type.String() }))) }),
);

/** The numbers of all versions of a registered model. */
export async function modelVersions(client: MlflowClient, filter: string): Promise<string[]> {
  const { model_versions: versions = [] } = await client.call('GET', 'model-versions/search', parseVersions, {
    query: { filter },
  });
  return versions.map(({ version }) => version);
}
