import { type Static, Type } from '@sinclair/typebox';
import { type MlflowClient, noContent } from './mlflow-client.js';

/** Data that a run reads, as MLflow's UI shows it: in the column "Dataset" of the runs, and on the page of the run. */
export const dataset = Type.Object({
  name: Type.String(),

  /** What the run does with it. */
  context: Type.Union([Type.Literal('training'), Type.Literal('validation'), Type.Literal('testing')]),

  /** Identifies the content. */
  digest: Type.String(),

  /** Where the data comes from: a path, an address or a data set on the hub. */
  source: Type.String(),
  rows: Type.Number(),

  /** Names of the columns, all of which have texts. */
  columns: Type.Array(Type.String()),
});
export type Dataset = Static<typeof dataset>;

/** The UI shows digests in whole, beside names; MLflow's own have 8 characters, and its limit is 36. */
const digestLength = 12;

/** Logs the data that a run reads. Repeating it has no further effect: MLflow knows a dataset by its name and digest. */
export async function logInputs(client: MlflowClient, runId: string, datasets: readonly Dataset[]): Promise<void> {
  const json = {
    run_id: runId,
    datasets: datasets.map(({ name, context, digest, source, rows, columns }) => ({
      tags: [{ key: 'mlflow.data.context', value: context }],
      dataset: {
        name,
        digest: digest.slice(0, digestLength),
        source_type: 'local',
        source: JSON.stringify({ uri: source }),
        profile: JSON.stringify({ num_rows: rows }),
        schema: JSON.stringify({
          mlflow_colspec: columns.map((column) => ({ type: 'string', name: column, required: true })),
        }),
      },
    })),
  };
  await client.call('POST', 'runs/log-inputs', noContent, { json });
}
