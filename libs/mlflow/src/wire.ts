import type { Artifact, Experiment, Metric, ModelVersion, RegisteredModel, Run, RunStatus } from './entities.js';

/** MLflow's JSON as it is on the wire, and its translation both ways. Lists that are empty are left out by the server. */

export interface WirePair {
  key: string;
  value: string;
}

export interface WireMetric {
  key: string;
  value: number | string;
  step?: number | string;
  timestamp: number | string;
}

export interface WireExperiment {
  experiment_id: string;
  name: string;
  artifact_location: string;
  lifecycle_stage: 'active' | 'deleted';
  tags?: WirePair[];
}

export interface WireRun {
  info: {
    run_id: string;
    experiment_id: string;
    run_name?: string;
    status: RunStatus;
    start_time?: number | string;
    end_time?: number | string;
    artifact_uri: string;
    lifecycle_stage: 'active' | 'deleted';
  };
  data?: { metrics?: WireMetric[]; params?: WirePair[]; tags?: WirePair[] };
}

export interface WireArtifact {
  path: string;
  is_dir: boolean;
  file_size?: number | string;
}

export interface WireRegisteredModel {
  name: string;
  description?: string;
  tags?: WirePair[];
  aliases?: { alias: string; version: string }[];
}

export interface WireModelVersion {
  name: string;
  version: string;
  source?: string;
  run_id?: string;
  description?: string;
  tags?: WirePair[];
  aliases?: string[];
}

export const pairs = (record: Readonly<Record<string, string>>): WirePair[] =>
  Object.entries(record).map(([key, value]) => ({ key, value }));

const record = (list: readonly WirePair[] = []): Record<string, string> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value]));

export const experimentFrom = (wire: WireExperiment): Experiment => ({
  experimentId: wire.experiment_id,
  name: wire.name,
  artifactLocation: wire.artifact_location,
  lifecycleStage: wire.lifecycle_stage,
  tags: record(wire.tags),
});

export const runFrom = ({ info, data = {} }: WireRun): Run => ({
  info: {
    runId: info.run_id,
    experimentId: info.experiment_id,
    runName: info.run_name ?? '',
    status: info.status,
    startTime: Number(info.start_time ?? 0),
    ...(info.end_time === undefined ? {} : { endTime: Number(info.end_time) }),
    artifactUri: info.artifact_uri,
    lifecycleStage: info.lifecycle_stage,
  },
  metrics: (data.metrics ?? []).map(metricFrom),
  params: record(data.params),
  tags: record(data.tags),
});

/** JSON has no NaN: MLflow writes and takes `"NaN"`, `"Infinity"` and `"-Infinity"`, which Number and String speak, too. */
export const metricFrom = (wire: WireMetric): Metric => ({
  key: wire.key,
  value: Number(wire.value),
  step: Number(wire.step ?? 0),
  timestampMs: Number(wire.timestamp),
});

export const wireMetric = ({ key, value, step, timestampMs }: Metric): WireMetric => ({
  key,
  value: Number.isFinite(value) ? value : String(value),
  step,
  timestamp: timestampMs,
});

export const artifactFrom = (wire: WireArtifact): Artifact => ({
  path: wire.path,
  isFolder: wire.is_dir,
  ...(wire.is_dir ? {} : { sizeBytes: Number(wire.file_size ?? 0) }),
});

export const registeredModelFrom = (wire: WireRegisteredModel): RegisteredModel => ({
  name: wire.name,
  description: wire.description ?? '',
  tags: record(wire.tags),
  aliases: Object.fromEntries((wire.aliases ?? []).map(({ alias, version }) => [alias, version])),
});

export const modelVersionFrom = (wire: WireModelVersion): ModelVersion => ({
  name: wire.name,
  version: wire.version,
  source: wire.source ?? '',
  runId: wire.run_id ?? '',
  description: wire.description ?? '',
  tags: record(wire.tags),
  aliases: wire.aliases ?? [],
});
