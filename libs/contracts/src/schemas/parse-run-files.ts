import { Type } from '@sinclair/typebox';
import type { ResolvedRun, SampleAnswer } from '../activities.js';
import type { EpochEvaluated, TrainStepped } from '../events.js';
import type { JsonObject } from '../json.js';
import { stageNames } from '../workflow.js';
import { count, evaluation, float, loggedEvent, text } from './event-schemas.js';
import { jsonLinesParser, jsonParser } from './json-parser.js';

// The types of these files are documented where they are declared. The compiler checks that the schemas agree with them.

const fileRef = Type.Object({ path: text, sha256: text, sizeBytes: count });

const resolvedRun = Type.Object({
  workflowId: text,
  runKey: text,
  folder: text,
  logDir: text,
  resumeFrom: Type.Optional(text),
  config: fileRef,
  configDigest: text,
  fromEnvironment: Type.Optional(Type.Object({ names: Type.Array(text), keys: Type.Array(text) })),
  experiment: text,
  trackingUri: Type.Optional(text),
  model: text,
  dataset: text,
  sources: Type.Optional(
    Type.Object({ train: Type.Optional(text), validation: Type.Optional(text), test: Type.Optional(text) }),
  ),
  notes: Type.Array(text),
  home: Type.Optional(text),
  queues: Type.Object({ cpu: text, gpu: text, gpuSharesFiles: Type.Boolean() }),
  heartbeatTimeoutMs: count,
  group: Type.Optional(Type.Object({ size: Type.Integer({ minimum: 2 }), joinTimeoutS: count, stepTimeoutS: count })),
  redone: Type.Optional(Type.Partial(Type.Record(Type.Union(stageNames.map((name) => Type.Literal(name))), text))),
  parentMlflowRunId: Type.Optional(text),
});

const sampleAnswer = Type.Object({ text, labelId: count, label: text, score: float });

/** An evaluation in `evaluations.jsonl`; the last one of a run has no timestamp. */
export interface StoredEvaluation extends Omit<EpochEvaluated, 'timestampMs'> {
  timestampMs?: number | undefined;

  /** The monitor, such as `val_loss`, for which this is the best evaluation of the run. */
  bestBy?: string | undefined;
}

type Parser<T> = (text: string, source: string) => T;

/** `config.json`, the resolved configuration; @nautil/config checks its keys. */
export const parseConfigTree: Parser<JsonObject> = jsonParser(Type.Unsafe<JsonObject>({ type: 'object' }));

/** `run.json` */
export const parseResolvedRun: Parser<ResolvedRun> = jsonParser(resolvedRun);

/** `events.jsonl`: the steps and evaluations of a training, in order. */
export const parseLoggedEvents: Parser<(TrainStepped | EpochEvaluated)[]> = jsonLinesParser(loggedEvent);

/** One line of it. */
export const parseLoggedEvent: Parser<TrainStepped | EpochEvaluated> = jsonParser(loggedEvent);

/** `evaluations.jsonl` */
export const parseEvaluations: Parser<StoredEvaluation[]> = jsonLinesParser(
  Type.Composite([evaluation, Type.Object({ timestampMs: Type.Optional(count), bestBy: Type.Optional(text) })]),
);

/** `answers.json` */
export const parseSampleAnswers: Parser<SampleAnswer[]> = jsonParser(Type.Array(sampleAnswer));
