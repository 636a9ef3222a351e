import { type Static, Type } from '@sinclair/typebox';
import { fromWireMetric, type Metric, wireInteger, wireMetric } from './metric.js';
import { fromPairs, pairList } from './pairs.js';

export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';

export interface Run {
  info: {
    runId: string;
    experimentId: string;
    runName: string;
    status: RunStatus;

    /** Milliseconds since the epoch. */
    startTime: number;

    /** When the run last ended. A run that was reopened keeps it. */
    endTime?: number;

    artifactUri: string;
    lifecycleStage: 'active' | 'deleted';
  };

  /** The latest row of each key. */
  metrics: Metric[];
  params: Record<string, string>;
  tags: Record<string, string>;
}

const lifecycleStage = Type.Union([Type.Literal('active'), Type.Literal('deleted')]);

export const wireRun = Type.Object({
  info: Type.Object({
    run_id: Type.String(),
    experiment_id: Type.String(),
    run_name: Type.Optional(Type.String()),
    status: Type.Union(
      (['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const).map((status) => Type.Literal(status)),
    ),
    start_time: Type.Optional(wireInteger),
    end_time: Type.Optional(wireInteger),
    artifact_uri: Type.String(),
    lifecycle_stage: lifecycleStage,
  }),
  data: Type.Optional(
    Type.Object({ metrics: Type.Optional(Type.Array(wireMetric)), params: pairList, tags: pairList }),
  ),
});

export const fromWireRun = ({ info, data = {} }: Static<typeof wireRun>): Run => ({
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
  metrics: (data.metrics ?? []).map(fromWireMetric),
  params: fromPairs(data.params),
  tags: fromPairs(data.tags),
});
