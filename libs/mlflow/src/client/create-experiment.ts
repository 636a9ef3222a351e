import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import type { MlflowClient } from './mlflow-client.js';
import { toPairs } from './pairs.js';

const parseResponse = jsonParser(Type.Object({ experiment_id: Type.String() }));

/**
 * Creates an experiment and returns its id. A name that is in use, even by a deleted experiment, is refused with
 * RESOURCE_ALREADY_EXISTS.
 */
export async function createExperiment(
  client: MlflowClient,
  name: string,
  tags: Record<string, string> = {},
): Promise<string> {
  const json = { name, tags: toPairs(tags) };
  const created = await client.call('POST', 'experiments/create', parseResponse, { json, idempotent: false });
  return created.experiment_id;
}
