import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import type { MlflowClient } from './mlflow-client.js';
import { undefinedIfMissing } from './undefined-if-missing.js';

export interface Experiment {
  experimentId: string;
  lifecycleStage: 'active' | 'deleted';
}

const parseResponse = jsonParser(
  Type.Object({
    experiment: Type.Object({
      experiment_id: Type.String(),
      lifecycle_stage: Type.Union([Type.Literal('active'), Type.Literal('deleted')]),
    }),
  }),
);

/** Finds an experiment, deleted ones included; undefined when none has the name. */
export async function getExperimentByName(client: MlflowClient, name: string): Promise<Experiment | undefined> {
  return undefinedIfMissing(async () => {
    const query = { experiment_name: name };
    const { experiment } = await client.call('GET', 'experiments/get-by-name', parseResponse, { query });
    return { experimentId: experiment.experiment_id, lifecycleStage: experiment.lifecycle_stage };
  });
}
