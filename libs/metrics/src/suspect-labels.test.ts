import { expect, test } from '@jest/globals';
import { suspectLabels } from './suspect-labels.js';

/** A reproducible sequence of numbers in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

test.each([
  [2, 1],
  [3, 2],
  [7, 3],
  [13, 4],
])(
  'with a model that knows the classes, the labels that were changed are found, and no other: %d classes',
  (numClasses, seed) => {
    const random = numbers(seed);
    // Each class keeps most of its labels, so the mean of its probabilities is above that of a wrong label, and below that of a right one.
    const classes = Array.from({ length: 100 * numClasses }, (_, row) => row % numClasses);
    const changed = new Set(classes.flatMap((_, row) => (random() < 0.2 ? [row] : [])));
    const labels = classes.map((id, row) => (changed.has(row) ? (id + 1) % numClasses : id));
    const sure = 0.6 + 0.3 * random();
    const probabilities = classes.map((id) =>
      Array.from({ length: numClasses }, (_, other) => (other === id ? sure : (1 - sure) / (numClasses - 1))),
    );
    const { suspects, meanScores } = suspectLabels({ labels, probabilities, numClasses });
    expect(new Set(suspects.map(({ row }) => row))).toEqual(changed);
    for (const { row, label, other } of suspects)
      expect({ label, other }).toEqual({ label: labels[row], other: classes[row] });
    for (const mean of meanScores) expect(mean).toBeLessThan(sure);
  },
);

test('a class on which the model is unsure has a lower threshold than one on which it is sure', () => {
  const labels = [0, 0, 0, 1, 1, 1];
  const probabilities = [
    [0.9, 0.1],
    [0.9, 0.1],
    [0.6, 0.4], // below 0.9 for class 0, and below the mean of class 1
    [0.4, 0.6],
    [0.5, 0.5],
    [0.1, 0.9],
  ];
  const { suspects, meanScores } = suspectLabels({ labels, probabilities, numClasses: 2 });
  expect(meanScores).toEqual([expect.closeTo(0.8), expect.closeTo(2 / 3)]);
  expect(suspects).toEqual([]);
  const rare = suspectLabels({
    labels: [...labels, 0],
    probabilities: [...probabilities, [0.32, 0.68]],
    numClasses: 2,
  });
  expect(rare.suspects).toEqual([{ row: 6, label: 0, other: 1, labelScore: 0.32, otherScore: 0.68 }]);
});

test('the most doubtful label is first, and a class without examples is suggested for none', () => {
  const labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
  const right = [0.8, 0.1, 0.1];
  const wrong = [0.1, 0.8, 0.1];
  const probabilities = [[0.05, 0.95, 0], right, [0.2, 0.8, 0], right, [0, 0, 1], wrong, wrong, wrong, wrong, wrong];
  const { suspects, meanScores } = suspectLabels({ labels, probabilities, numClasses: 3 });
  expect(suspects.map(({ row, other }) => [row, other])).toEqual([
    [0, 1],
    [2, 1],
  ]);
  expect(meanScores[2]).toBeNaN();
});
