import { Type } from '@sinclair/typebox';
import type { TrainHeartbeat } from '../activities.js';
import { type ErrorKind, exitCodes } from '../errors.js';
import type { TrainingResult } from '../events.js';
import type { FromTrainer, ToTrainer } from '../trainer-protocol.js';
import { count, epochEvaluated, float, loggedEvent, text, trainStepped } from './event-schemas.js';
import { type JsonValidator, jsonValidator, variants } from './json-parser.js';

// The types of these messages are documented where they are declared. The compiler checks that the schemas agree with them.

const trainingResult = Type.Object({
  step: count,
  epoch: count,
  reason: Type.Union([Type.Literal('completed'), Type.Literal('early-stopped'), Type.Literal('stopped')]),
  lastWeights: text,
  bestWeights: Type.Optional(text),
  best: Type.Optional(Type.Object({ monitor: text, value: float, step: count, epoch: count })),
});

const trainEvent = variants('type', [
  Type.Object({
    type: Type.Literal('start'),
    step: count,
    totalSteps: count,
    stepsPerEpoch: count,
    epochs: count,
    trainExamples: count,
    validationExamples: count,
    trainableParameters: count,
    device: text,
    gpus: count,
    gpuDescriptions: Type.Optional(Type.Array(text)),
    noGpu: Type.Optional(text),
    arithmetic: Type.Optional(text),
    resumedFrom: Type.Optional(text),
  }),
  trainStepped,
  epochEvaluated,
  Type.Object({ type: Type.Literal('warning'), message: text }),
  Type.Composite([Type.Object({ type: Type.Literal('done') }), trainingResult]),
]);

const checkpointSaved = Type.Object({
  step: count,
  epoch: count,
  path: text,
  sizeBytes: count,
  events: Type.Array(loggedEvent),
});

const errorRecord = Type.Object({
  name: text,
  kind: Type.Unsafe<ErrorKind>({ type: 'string', enum: Object.keys(exitCodes) }),
  message: text,
  hint: Type.Optional(text),
  setting: Type.Optional(text),
  retryable: Type.Boolean(),
  stack: Type.Optional(text),
});

/** Validates a message of a trainer process, except for the result in `done`, which depends on the task. */
export const validateFromTrainer: JsonValidator<FromTrainer<unknown>> = jsonValidator(
  variants('type', [
    Type.Object({ type: Type.Literal('ready') }),
    Type.Object({ type: Type.Literal('heartbeat') }),
    Type.Object({ type: Type.Literal('progress'), event: trainEvent }),
    Type.Object({ type: Type.Literal('committed'), checkpoint: checkpointSaved }),
    Type.Object({ type: Type.Literal('done'), result: Type.Unknown(), waits: Type.Boolean() }),
    Type.Object({ type: Type.Literal('failed'), error: errorRecord }),
  ]),
);

/** Validates a message to a trainer process, except for the task in `run`. */
export const validateToTrainer: JsonValidator<ToTrainer<unknown>> = jsonValidator(
  variants('type', [
    Type.Object({ type: Type.Literal('lease') }),
    Type.Object({ type: Type.Literal('run'), task: Type.Unknown() }),
    Type.Object({
      type: Type.Literal('stop'),
      how: Type.Union([Type.Literal('interrupt'), Type.Literal('early')]),
    }),
    Type.Object({ type: Type.Literal('ack'), step: count }),
  ]),
);

/** Validates the result of a training. */
export const validateTrainingResult: JsonValidator<TrainingResult> = jsonValidator(trainingResult);

/** Validates the heartbeat details of the train activity. */
export const validateTrainHeartbeat: JsonValidator<TrainHeartbeat> = jsonValidator(
  Type.Object({
    step: count,
    totalSteps: count,
    epoch: count,
    loss: float,
    examplesPerSecond: float,
    secondsLeft: float,
    validation: Type.Optional(Type.Object({ epoch: count, loss: float, accuracy: float, f1Macro: float })),
    checkpointStep: Type.Optional(count),
    warnings: Type.Optional(Type.Array(text)),
    checkpoint: Type.Optional(text),
  }),
);
