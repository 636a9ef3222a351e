export type { Artifact, Experiment, Metric, ModelVersion, RegisteredModel, Run, RunStatus } from './entities.js';
export { MlflowAddressInvalid, MlflowError, MlflowUnavailable } from './errors.js';
export { flattenParams } from './flatten-params.js';
export { MlflowClient, type Batch } from './mlflow-client.js';
export { findJournals, summarizeJournal, type JournalSummary } from './summarize-journal.js';
export { NotAJournal, syncJournal, type SyncedJournal } from './sync-journal.js';
export { trackTraining } from './track-training.js';
export { openTracker, type Tracker, type TrackerOptions } from './tracker.js';
export { compareRunsUrl, experimentUrl, modelVersionUrl, runUrl } from './ui-address.js';
