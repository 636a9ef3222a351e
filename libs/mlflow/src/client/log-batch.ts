import { type Metric, toWireMetric } from './metric.js';
import { type MlflowClient, noContent } from './mlflow-client.js';
import { toPairs } from './pairs.js';

/** Metrics, params and tags that are logged together. */
export interface Batch {
  metrics?: readonly Metric[];
  params?: Readonly<Record<string, string>>;
  tags?: Readonly<Record<string, string>>;
}

/** The server's limits for one request. */
export const batchLimits = { params: 100, tags: 100, entries: 1000 } as const;

/**
 * Logs any number of metrics, params and tags, in as few requests as the server's limits allow. Repeating it has no further
 * effect, except that a param that already has another value is refused.
 */
export async function logBatch(client: MlflowClient, runId: string, batch: Batch): Promise<void> {
  const params = toPairs(batch.params ?? {});
  const tags = toPairs(batch.tags ?? {});
  const metrics = (batch.metrics ?? []).map(toWireMetric);
  const sent = { params: 0, tags: 0, metrics: 0 };
  do {
    const nextParams = params.slice(sent.params, (sent.params += batchLimits.params));
    const nextTags = tags.slice(sent.tags, (sent.tags += batchLimits.tags));
    const room = batchLimits.entries - nextParams.length - nextTags.length;
    const json = {
      run_id: runId,
      params: nextParams,
      tags: nextTags,
      metrics: metrics.slice(sent.metrics, (sent.metrics += room)),
    };
    await client.call('POST', 'runs/log-batch', noContent, { json });
  } while (sent.params < params.length || sent.tags < tags.length || sent.metrics < metrics.length);
}
