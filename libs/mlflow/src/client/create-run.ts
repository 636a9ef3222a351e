import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import type { MlflowClient } from './mlflow-client.js';
import { toPairs } from './pairs.js';
import { fromWireRun, type Run, wireRun } from './run.js';

const parseResponse = jsonParser(Type.Object({ run: wireRun }));

/**
 * Creates a run with the status RUNNING. Not idempotent: after MlflowUnavailable the run may exist, so look for it by a tag
 * before calling again.
 */
export async function createRun(
  client: MlflowClient,
  o: {
    experimentId: string;
    runName?: string;

    /** Milliseconds since the epoch; default now. */
    startTime?: number;
    tags?: Record<string, string>;
  },
): Promise<Run> {
  const json = {
    experiment_id: o.experimentId,
    run_name: o.runName,
    start_time: o.startTime ?? Date.now(),
    tags: toPairs(o.tags ?? {}),
  };
  const { run } = await client.call('POST', 'runs/create', parseResponse, { json, idempotent: false });
  return fromWireRun(run);
}
