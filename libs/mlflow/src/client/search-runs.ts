import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { allPages, nextPageToken } from './all-pages.js';
import type { MlflowClient } from './mlflow-client.js';
import { fromWireRun, type Run, wireRun } from './run.js';

const parseResponse = jsonParser(
  Type.Object({ runs: Type.Optional(Type.Array(wireRun)), next_page_token: nextPageToken }),
);

/** Finds the active runs that match a filter in MLflow's language: all pages, or the first `limit` runs. */
export async function searchRuns(
  client: MlflowClient,
  o: { experimentIds: string[]; filter?: string; orderBy?: string[]; limit?: number },
): Promise<Run[]> {
  return allPages(o.limit, async (page) => {
    const json = { experiment_ids: o.experimentIds, filter: o.filter, order_by: o.orderBy, ...page };
    const { runs = [], next_page_token: next } = await client.call('POST', 'runs/search', parseResponse, { json });
    return { items: runs.map(fromWireRun), next };
  });
}
