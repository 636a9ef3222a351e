import { Type } from '@sinclair/typebox';
import { variants } from './json-parser.js';

// The schemas of a training's events, in files and in messages. The types are documented where they are declared.

export const text = Type.String();
export const count = Type.Integer({ minimum: 0 });

/** JSON has no NaN and no infinity: both are written as null. */
export const float = Type.Unsafe<number>({ type: ['number', 'null'] });

const scores = { precision: float, recall: float, f1: float };

export const classificationReport = Type.Object({
  classes: Type.Array(Type.Object({ ...scores, labelId: count, labelName: Type.Optional(text), support: count })),
  micro: Type.Object(scores),
  macro: Type.Object(scores),
  weighted: Type.Object(scores),
  accuracy: float,
  support: count,
  confusion: Type.Array(Type.Array(count)),
});

export const trainStepped = Type.Object({
  type: Type.Literal('step'),
  step: count,
  epoch: count,
  loss: float,
  lr: float,
  gradNorm: Type.Optional(float),
  examplesPerSecond: float,
  tokensPerSecond: float,
  secondsLeft: float,
  timestampMs: count,
});

export const evaluation = Type.Object({
  type: Type.Literal('eval'),
  split: Type.Union([Type.Literal('val'), Type.Literal('test')]),
  step: count,
  epoch: count,
  loss: float,
  report: classificationReport,
});

export const epochEvaluated = Type.Composite([evaluation, Type.Object({ timestampMs: count })]);

export const loggedEvent = variants('type', [trainStepped, epochEvaluated]);
