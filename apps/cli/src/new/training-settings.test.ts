import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { trainingSettings } from './training-settings.js';

const miniLm = { maxLength: 512, numLayers: 6, hiddenSize: 384, numHeads: 12 };
const bertLarge = { maxLength: 512, numLayers: 24, hiddenSize: 1024, numHeads: 16 };
const facts = { examples: 1000, percentile99: 50, encoder: miniLm, memoryBytes: 24e9 };

test('texts are cut at the first multiple of 8 that 99 % of them fit in, as far as the encoder has positions', () => {
  const lengths = [3, 50, 56, 57, 300, 1185].map(
    (percentile99) => trainingSettings({ ...facts, percentile99 }).maxSeqLength,
  );
  expect(lengths).toEqual([16, 56, 56, 64, 304, 512]);
  const short = { ...miniLm, maxLength: 100 };
  expect(trainingSettings({ ...facts, percentile99: 300, encoder: short }).maxSeqLength).toBe(100);
  const long = { ...miniLm, maxLength: 8192 };
  expect(trainingSettings({ ...facts, percentile99: 3000, encoder: long }).maxSeqLength).toBe(512);
});

test('little data gets more epochs, and much data gets larger batches', () => {
  const at = (examples: number) => trainingSettings({ ...facts, examples });
  const epochs = [10, 100, 1000, 5000, 1e6].map((examples) => at(examples).maxEpochs);
  expect(epochs).toEqual([...epochs].sort((a, b) => b - a));
  expect(at(10).maxEpochs).toBeGreaterThan(at(1e6).maxEpochs);
  expect(at(1e6).batchSize).toBeGreaterThan(at(1000).batchSize);
});

test('batches that do not fit are divided, and the steps keep their size', () => {
  const whole = trainingSettings({ ...facts, percentile99: 512, encoder: bertLarge, memoryBytes: 1e12 });
  const small = trainingSettings({ ...facts, percentile99: 512, encoder: bertLarge, memoryBytes: 16e9 });
  expect(whole.accumulate).toBe(1);
  expect(small.accumulate).toBeGreaterThan(1);
  expect(small.batchSize * small.accumulate).toBe(whole.batchSize);
});

test('every training has valid settings', () => {
  const numbers = fc.record({
    examples: fc.integer({ min: 1, max: 1e9 }),
    percentile99: fc.integer({ min: 0, max: 65_535 }),
    encoder: fc.constantFrom(miniLm, bertLarge, undefined),
    memoryBytes: fc.integer({ min: 1, max: 2 ** 45 }),
  });
  fc.assert(
    fc.property(numbers, (given) => {
      const { maxSeqLength, batchSize, accumulate, maxEpochs, patience } = trainingSettings(given);
      expect(maxSeqLength).toBeLessThanOrEqual(512);
      expect(Math.min(maxSeqLength, batchSize, accumulate, maxEpochs, patience)).toBeGreaterThan(0);
      expect([batchSize, accumulate].every(Number.isInteger)).toBe(true);
      expect(patience).toBeLessThan(maxEpochs);
    }),
  );
});
