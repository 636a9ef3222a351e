import { Type } from '@sinclair/typebox';
import type { BatchAmount, Config } from '@nautil/config';
import type { MemberResult, TrainingResult } from '@nautil/contracts';
import {
  classificationReport,
  float,
  type JsonValidator,
  jsonValidator,
  validateTrainingResult,
  variants,
} from '@nautil/contracts/schemas';
import type { Dataset } from '@nautil/mlflow';
import type {
  EvaluateWeightsOptions,
  MeasureTrainingOptions,
  ReplicaPlace,
  TrainingGroup,
  TrainingMeasured,
  TrainJob,
  WeightsEvaluated,
} from '@nautil/training';

/** A task for a trainer process, as plain JSON. */
export type TrainerTask = TrainTask | JoinTask | EvaluateTask | MeasureTask;

export interface TrainTask {
  do: 'train';
  job: TrainJob;

  /** The MLflow run that steps and evaluations are logged to; absent: none. */
  tracking?: TrackingTask | undefined;

  /** Where checkpoints are replicated for workers with another state folder; absent: nowhere. */
  mirror?: ReplicaPlace | undefined;
}

/** Trains as a member of the job's group other than the first, which logs and saves. */
export interface JoinTask {
  do: 'join';
  job: TrainJob & { group: TrainingGroup };
}

interface EvaluateTask extends EvaluateWeightsOptions {
  do: 'evaluate';
}

/** Predicts the time and the memory of a training. */
interface MeasureTask extends MeasureTrainingOptions {
  do: 'measure';
}

export interface TrackingTask {
  trackingUri: string;

  /** The worker's own server, which alone gets the credentials of the environment. */
  ownServer: string;
  experiment: string;

  /** Absent while the server is down: the journal keeps the rows until it is back. */
  runId?: string;

  /** Journal file of the run. */
  journal: string;
  tags?: Record<string, string>;

  /** The data that the run reads. */
  datasets?: readonly Dataset[] | undefined;
}

export type TrainerResult<Task extends TrainerTask = TrainerTask> = Task extends TrainTask
  ? TrainingResult
  : Task extends JoinTask
    ? MemberResult
    : Task extends MeasureTask
      ? TrainingMeasured
      : WeightsEvaluated;

/** Whether a task trains together with other processes. Its process listens on a port until it exits. */
export const isOfGroup = (task: TrainerTask): boolean => task.do !== 'evaluate' && task.job.group !== undefined;

const text = Type.String();
const count = Type.Integer({ minimum: 0 });

/** `loadConfig` has validated the configuration, so only its sections are checked. */
const config = Type.Unsafe<Config>({ type: 'object', required: ['trainer', 'exp_manager', 'model', 'nautil'] });
const dataset = Type.Unsafe<Config['model']['test_ds']>({ type: 'object' });
const limit = Type.Unsafe<BatchAmount>({ type: ['number', 'string', 'null'] });

/** Of a training and of an evaluation. */
const jobParts = {
  config,
  hidden: Type.Optional(Type.Array(text)),
  numClasses: count,
  labelNames: Type.Optional(Type.Array(text)),
  classWeights: Type.Optional(Type.Array(Type.Number())),
  logDir: Type.Optional(text),
};

const group = Type.Object({
  members: Type.Array(text, { minItems: 2 }),
  index: count,
  program: Type.Optional(text),
  joinTimeoutS: Type.Optional(Type.Number()),
  stepTimeoutS: Type.Optional(Type.Number()),
});

const trainJob = Type.Object({
  ...jobParts,
  folder: text,
  trainCache: text,
  validationCache: Type.Optional(text),
  encoder: Type.Object({
    path: Type.Optional(text),
    config: Type.Optional(Type.Record(text, Type.Unknown())),
    lmCheckpoint: Type.Optional(text),
  }),
  resumeFrom: Type.Optional(text),
  group: Type.Optional(group),
  digests: Type.Record(text, text),
});

const trainTask = Type.Object({
  do: Type.Literal('train'),
  job: trainJob,
  tracking: Type.Optional(
    Type.Object({
      trackingUri: text,
      ownServer: text,
      experiment: text,
      runId: Type.Optional(text),
      journal: text,
      tags: Type.Optional(Type.Record(text, text)),
    }),
  ),
  mirror: Type.Optional(Type.Object({ artifacts: text, workflowId: text, runKey: text, folder: text })),
});

const joinTask = Type.Object({
  do: Type.Literal('join'),
  job: Type.Composite([trainJob, Type.Object({ group })]),
});

const evaluateTask = Type.Object({
  do: Type.Literal('evaluate'),
  job: Type.Object(jobParts),
  weights: text,
  encoderConfig: Type.Record(text, Type.Unknown()),
  on: Type.Optional(Type.Object({ cache: text, dataset, limit })),
  questions: Type.Object({ rows: Type.Array(Type.Array(count)), padId: count }),
});

const measureTask = Type.Object({
  do: Type.Literal('measure'),
  job: trainJob,
  on: Type.Optional(Type.Object({ cache: text, dataset, limit })),
  availableBytes: Type.Number(),
  writesCheckpoint: Type.Boolean(),
  budgetSeconds: Type.Number(),
});

export const validateTask: JsonValidator<TrainerTask> = jsonValidator(
  variants('do', [trainTask, joinTask, evaluateTask, measureTask]),
);

/** The validator of each kind of task's result. */
export const validateResult: {
  train: JsonValidator<TrainingResult>;
  join: JsonValidator<MemberResult>;
  evaluate: JsonValidator<WeightsEvaluated>;
  measure: JsonValidator<TrainingMeasured>;
} = {
  train: validateTrainingResult,
  join: jsonValidator(
    Type.Object({
      step: count,
      epoch: count,
      reason: Type.Union([Type.Literal('completed'), Type.Literal('early-stopped'), Type.Literal('stopped')]),
    }),
  ),
  evaluate: jsonValidator(
    Type.Object({
      evaluation: Type.Optional(Type.Object({ loss: float, report: classificationReport })),
      answers: Type.Array(Type.Array(float)),
    }),
  ),
  measure: jsonValidator(
    Type.Object({
      secondsToOpen: Type.Number(),
      secondsPerStep: Type.Optional(Type.Number()),
      timedSteps: count,
      secondsPerEvaluation: Type.Optional(Type.Number()),
      secondsOfFinalEvaluation: Type.Optional(Type.Number()),
      secondsPerCheckpoint: Type.Optional(Type.Number()),
      peakBytes: Type.Number(),
      largestBatch: Type.Object({ rows: count, length: count }),
      fits: Type.Boolean(),
      microBatches: count,
      devices: count,
      device: text,
      doneSteps: count,
    }),
  ),
};
