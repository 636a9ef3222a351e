export type { Artifact, Experiment, Metric, ModelVersion, RegisteredModel, Run, RunStatus } from './entities.js';
export { MlflowAddressInvalid, MlflowError, MlflowUnavailable } from './errors.js';
export { MlflowClient, type Batch } from './mlflow-client.js';
export { compareRunsUrl, experimentUrl, modelVersionUrl, runUrl } from './ui-address.js';
