import { expect, test } from '@jest/globals';
import type { EpochEvaluated } from '@nautil/contracts';
import { Confusion } from './confusion.js';
import { drawConfusionMatrix } from './confusion-matrix.js';
import { drawLearningCurve } from './learning-curve.js';
import { drawScoreCurves } from './score-curves.js';

/** The texts of a chart, in document order. */
const textsIn = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) =>
    text!.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
  );

const confusion = new Confusion(3);
const predicted = [0, 0, 1, 1, 1, 2, 2, 0];
[0, 0, 0, 1, 1, 2, 2, 2].forEach((label, row) => {
  confusion.add(label, predicted[row]!);
});

test('the confusion matrix shows every count, both axes, the classes and the number of examples', async () => {
  const texts = textsIn(await drawConfusionMatrix(confusion.report(['bad', 'R&D <b>', 'good'])));
  expect(texts).toEqual(expect.arrayContaining(['true class', 'predicted class', 'bad', 'R&D <b>', 'good']));
  expect(texts).toContain('8 examples, accuracy 75.00 %');
  expect(texts.filter((text) => /^\d+$/.test(text)).map(Number)).toEqual([2, 1, 0, 0, 2, 0, 1, 0, 2]);
  expect(texts).toContain('66.7 %');
});

test('with many classes the matrix stays small and has no counts, which would be illegible', async () => {
  const many = new Confusion(120);
  for (let label = 0; label < 120; label++) many.add(label, label);
  const svg = await drawConfusionMatrix(many.report());
  expect(Number(/<svg width="(\d+)/.exec(svg)![1])).toBeLessThan(1200);
  expect(svg.length).toBeLessThan(200_000);
  const numbers = textsIn(svg).filter((text) => /^\d+$/.test(text));
  const [across, down] = [numbers.slice(0, numbers.length / 2), numbers.slice(numbers.length / 2)];
  expect(across.length).toBeGreaterThan(20);
  expect(across).toEqual(down); // as many class labels as fit on both axes, and no counts
  expect(across.map(Number)).toEqual(across.map((_, i) => i * Number(across[1])));
});

test('the learning curve has both losses, axis names, and no more points than fit', async () => {
  const train = Array.from({ length: 50_000 }, (_, i) => ({ step: i + 1, loss: i % 7 === 0 ? NaN : 1 / (i + 1) }));
  const validation = [{ step: 25_000, loss: 0.3 }];
  const svg = await drawLearningCurve({ train, validation });
  expect(textsIn(svg)).toEqual(
    expect.arrayContaining(['loss', 'optimizer step', 'training, each step', 'training, smoothed', 'validation']),
  );
  expect(svg).not.toContain('NaN');
  expect(svg.length).toBeLessThan(60_000);
});

test('without validation data the learning curve has no validation line', async () => {
  const svg = await drawLearningCurve({ train: [{ step: 1, loss: 0.7 }], validation: [] });
  expect(textsIn(svg)).not.toContain('validation');
});

test('two evaluations within one epoch are drawn at different positions', async () => {
  const report = confusion.report();
  const evaluation = (epoch: number, step: number): EpochEvaluated => {
    return { type: 'eval', split: 'val', step, epoch, loss: 1, report, timestampMs: 0 };
  };
  const svg = await drawScoreCurves([evaluation(0, 5), evaluation(0, 10), evaluation(1, 15), evaluation(1, 20)]);
  expect(textsIn(svg)).toEqual(
    expect.arrayContaining(['epoch', 'percent', 'precision (macro)', 'recall (macro)', 'F1 (macro)', 'accuracy']),
  );
  const line = /<path d="M([^"]+)"[^>]* stroke="#0072B2" stroke-width="2.5"/.exec(svg)![1]!;
  const xs = line.split('L').map((point) => Number(point.trim().split(' ')[0]));
  expect(new Set(xs).size).toBe(4);
});

test('a single evaluation is drawn on an axis of whole percents', async () => {
  const report = confusion.report();
  const svg = await drawScoreCurves([
    { type: 'eval', split: 'val', step: 5, epoch: 0, loss: 1, report, timestampMs: 0 },
  ]);
  const labels = textsIn(svg).filter((text) => /^[\d.]+$/.test(text));
  expect(labels.filter((text) => text.includes('.'))).toEqual([]);
});

test('equal reports give equal bytes whatever was drawn before, without anything interactive', async () => {
  const first = await drawConfusionMatrix(confusion.report());
  await drawLearningCurve({ train: [{ step: 1, loss: 0.7 }], validation: [] });
  expect(await drawConfusionMatrix(confusion.report())).toBe(first);
  expect(first).not.toMatch(/class=|<style|\[object|ecmeta/);
  // Every referenced gradient and clip path is defined.
  for (const [, id] of first.matchAll(/url\(#([^)]+)\)/g)) expect(first).toContain(`id="${id}"`);
});

test('charts in one page do not share the ids of gradients and clip paths', async () => {
  const idsIn = (svg: string): string[] => [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  const losses = Array.from({ length: 50 }, (_, i) => ({ step: i + 1, loss: 1 / (i + 1) }));
  const [a, b] = [
    await drawLearningCurve({ train: losses, validation: [] }),
    await drawLearningCurve({ train: losses.slice(1), validation: [] }),
  ];
  expect(idsIn(a).length).toBeGreaterThan(0);
  expect(idsIn(a).filter((id) => idsIn(b).includes(id))).toEqual([]);
});
