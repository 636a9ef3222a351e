import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { classifierWeights, ModelWeights } from '@nautil/model';
import { openTokenCache } from '@nautil/tokenization';
import { batchesOf, microBatchesOf } from './batches.js';
import { openInitialClassifier } from './encoder-source.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { TrainStep } from './train-step.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

/** One step from the pretrained weights, dropout included, with the batch cut into `split` parts. */
async function stepWith(split: number, clip: number) {
  const { config, encoder: source, trainCache, numClasses } = await tiny.job('unused');
  const head = { numClasses, numOutputLayers: 2 };
  const initial = await openInitialClassifier(source, head, 1);
  const encoder = { ...initial.encoder, hiddenDropout: 0.2, attentionDropout: 0.2 };
  const weights = new ModelWeights({ specs: classifierWeights({ encoder, ...head }) });
  const optim = { ...config.model.optim, name: 'sgd' } as const;
  const step = new TrainStep(weights, { shape: { encoder, head }, optim, clip, seed: 7, headDropout: 0.2 });
  await weights.load(initial.read, initial.file);
  await step.loadSlots();
  await initial.close();
  const cache = openTokenCache(trainCache);
  const batches = batchesOf(cache, {
    dataset: config.model.train_ds,
    limit: 1,
    nautil: config.nautil,
    maxPositions: 32,
  });
  const parts = microBatchesOf(batches.at(0, 0), { count: split, share: 1 });
  const { losses, gradNorm } = await step.run(parts, { step: 0, lr: 0.1 });
  const updated = await weights.readAll();
  weights.close();
  cache.close();
  return { parts: parts.length, loss: losses.reduce((a, b) => a + b, 0), gradNorm: gradNorm!, weights: updated };
}

test.each([
  ['', 1e9],
  [', whose gradient is clipped once', 0.05],
])('a batch cut into micro-batches takes the step of the whole, dropout included%s', async (_, clip) => {
  const whole = await stepWith(1, clip);
  // Else the clip would not bite.
  if (clip < 1) expect(whole.gradNorm).toBeGreaterThan(2 * clip);
  for (const split of [2, 3, 8]) {
    const cut = await stepWith(split, clip);
    expect(cut.parts).toBeGreaterThan(1);
    expect(cut.loss).toBeCloseTo(whole.loss, 5);
    expect(cut.gradNorm / whole.gradNorm).toBeCloseTo(1, 4);
    cut.weights.forEach(({ data }, i) => {
      const other = whole.weights[i]!.data;
      data.forEach((value, at) => {
        if (Math.abs(value - other[at]!) > 1e-5)
          throw new Error(`${whole.weights[i]!.name}[${at}]: ${value} is not ${other[at]}`);
      });
    });
  }
});
