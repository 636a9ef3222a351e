import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import type { MlflowClient } from './mlflow-client.js';
import { fromWireRun, type Run, wireRun } from './run.js';
import { undefinedIfMissing } from './undefined-if-missing.js';

const parseResponse = jsonParser(Type.Object({ run: wireRun }));

/** Reads a run, deleted ones included (see its lifecycleStage); undefined when there is no such run. */
export async function getRun(client: MlflowClient, runId: string): Promise<Run | undefined> {
  return undefinedIfMissing(async () => {
    const { run } = await client.call('GET', 'runs/get', parseResponse, { query: { run_id: runId } });
    return fromWireRun(run);
  });
}
