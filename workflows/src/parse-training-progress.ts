import type { TrainingProgress } from '@nautil/contracts';
import { float, object, type Parser, texts, wholeNumberFrom } from './json-parsers.js';

const count = wholeNumberFrom(0);

/** Checks the payload of a `training` signal. @throws InvalidValue */
export const parseTrainingProgress: Parser<TrainingProgress> = object(
  { step: count, totalSteps: count, epoch: count, loss: float, examplesPerSecond: float, secondsLeft: float },
  {
    validation: object({ epoch: count, loss: float, accuracy: float, f1Macro: float }, {}),
    checkpointStep: count,
    warnings: texts,
  },
);
