/** What MLflow keeps, in camelCase; values are strings where MLflow has strings. */

export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';

export interface Experiment {
  experimentId: string;
  name: string;
  artifactLocation: string;
  lifecycleStage: 'active' | 'deleted';
  tags: Record<string, string>;
}

export interface RunInfo {
  runId: string;
  experimentId: string;
  runName: string;
  status: RunStatus;

  /** Milliseconds since the epoch. */
  startTime: number;

  /** That of the last end: a run that was opened again keeps it. */
  endTime?: number;

  artifactUri: string;
  lifecycleStage: 'active' | 'deleted';
}

export interface Metric {
  key: string;
  value: number;
  step: number;

  /** Milliseconds since the epoch; part of what makes a row: the same one again is the same row. */
  timestampMs: number;
}

export interface Run {
  info: RunInfo;

  /** The latest row of each key. */
  metrics: Metric[];
  params: Record<string, string>;
  tags: Record<string, string>;
}

export interface Artifact {
  /** Relative to the run's artifacts, with `/`. */
  path: string;
  isFolder: boolean;
  sizeBytes?: number;
}

export interface RegisteredModel {
  name: string;
  description: string;
  tags: Record<string, string>;

  /** Version by alias. */
  aliases: Record<string, string>;
}

export interface ModelVersion {
  name: string;
  version: string;
  source: string;
  runId: string;
  description: string;
  tags: Record<string, string>;
  aliases: string[];
}
