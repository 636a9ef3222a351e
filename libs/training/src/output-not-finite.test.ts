import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TrainEvent } from '@nautil/contracts';
import { encoderConfigOf } from './encoder-source.js';
import { OutputNotFinite } from './errors.js';
import { evaluateWeights, type EvaluateWeightsOptions } from './evaluate-weights.js';
import { predictionsOf } from './prediction.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

const failureOf = (result: Promise<unknown>): Promise<unknown> => result.catch((error: unknown) => error);

test('a validation loss that is not finite is logged, and does not end training; the evaluation of the final weights fails', async () => {
  // The last step moves finite weights so far that their output is not finite.
  const job = await tiny.job('diverged', [
    ...['model.optim.lr=1e25', 'model.optim.sched=null', 'trainer.max_epochs=1'],
    'trainer.limit_train_batches=1',
  ]);
  const events: TrainEvent[] = [];
  const done = await trainClassifier(job, { onProgress: (event) => void events.push(event) });
  expect(done).toMatchObject({ step: 1, reason: 'completed' });
  expect(done).not.toHaveProperty('best');
  const [validation] = events.flatMap((event) => (event.type === 'eval' ? [event.loss] : []));
  expect(validation).toBeNaN();

  const o: EvaluateWeightsOptions = {
    job,
    weights: done.lastWeights,
    encoderConfig: await encoderConfigOf(job.encoder),
    questions: { rows: [], padId: 0 },
  };
  const on = { cache: job.trainCache, dataset: job.config.model.test_ds, limit: 1 };
  const failure = await failureOf(evaluateWeights({ ...o, on }));
  expect(failure).toBeInstanceOf(OutputNotFinite);
  expect(failure).toMatchObject({
    retryable: false,
    message: expect.stringMatching(/^the loss of the evaluation is NaN: the weights are finite/),
    hint: expect.stringContaining('lower model.optim.lr'),
  });
  const questions = { rows: [[101, 102]], padId: 0 };
  expect(await failureOf(evaluateWeights({ ...o, questions }))).toBeInstanceOf(OutputNotFinite);
});

test.each([NaN, Infinity, -Infinity])('a text with the score %p gets no prediction', (score) => {
  expect(() =>
    predictionsOf(
      [
        [0, 1, 2],
        [1, score, 3],
      ],
      undefined,
    ),
  ).toThrow(OutputNotFinite);
});
