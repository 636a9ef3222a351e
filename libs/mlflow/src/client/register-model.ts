import { type Static, Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { allPages, nextPageToken } from './all-pages.js';
import { MlflowError } from './errors.js';
import { type MlflowClient, noContent } from './mlflow-client.js';
import { fromPairs, pairList, toPairs } from './pairs.js';

/** MLflow resolves `runs:/…` and stores only the result, so the original address is kept in this tag. */
const sourceTag = 'nautil.source';

const wireVersion = Type.Object({
  version: Type.String(),
  run_id: Type.Optional(Type.String()),
  tags: pairList,
});
const parseCreated = jsonParser(Type.Object({ model_version: wireVersion }));
const parseFound = jsonParser(
  Type.Object({ model_versions: Type.Optional(Type.Array(wireVersion)), next_page_token: nextPageToken }),
);

/**
 * Registers an artifact of a run as a version of a model, which is created when it does not exist. Registering the same run
 * and path again returns the existing version, so that a repeated stage registers nothing twice.
 *
 * @param o.path of the artifact inside the run
 * @returns the number of the version
 */
export async function registerModel(
  client: MlflowClient,
  o: { name: string; runId: string; path: string },
): Promise<string> {
  const { name, runId } = o;
  await createModel(client, name);
  const source = `runs:/${runId}/${o.path}`;
  for (const { run_id, tags, version } of await versionsOf(client, name)) {
    if (run_id === runId && fromPairs(tags)[sourceTag] === source) return version;
  }
  const json = { name, source, run_id: runId, tags: toPairs({ [sourceTag]: source }) };
  const created = await client.call('POST', 'model-versions/create', parseCreated, { json, idempotent: false });
  return created.model_version.version;
}

async function createModel(client: MlflowClient, name: string): Promise<void> {
  try {
    await client.call('POST', 'registered-models/create', noContent, { json: { name }, idempotent: false });
  } catch (error) {
    if (!(error instanceof MlflowError) || error.errorCode !== 'RESOURCE_ALREADY_EXISTS') throw error;
  }
}

function versionsOf(client: MlflowClient, name: string): Promise<Static<typeof wireVersion>[]> {
  return allPages(undefined, async (page) => {
    const query = { filter: `name=${quoted(name)}`, ...page };
    const found = await client.call('GET', 'model-versions/search', parseFound, { query });
    return { items: found.model_versions ?? [], next: found.next_page_token };
  });
}

/** MLflow's filter language has two kinds of quotes and no escape. */
const quoted = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);
