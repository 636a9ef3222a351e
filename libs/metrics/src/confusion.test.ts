import { expect, test } from '@jest/globals';
import { Confusion } from './confusion.js';

function confusionOf(labels: readonly number[], predicted: readonly number[], numClasses: number): Confusion {
  const confusion = new Confusion(numClasses);
  labels.forEach((label, row) => {
    confusion.add(label, predicted[row]!);
  });
  return confusion;
}

test('precision, recall and F1 follow from the counts', () => {
  const report = confusionOf([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 2).report(['negative']);
  expect(report.confusion).toEqual([
    [2, 1],
    [1, 1],
  ]);
  expect(report.classes[0]).toMatchObject({ labelId: 0, labelName: 'negative', support: 3 });
  expect(report.classes[1]).not.toHaveProperty('labelName');
  expect(report.classes[0]!.precision).toBeCloseTo(2 / 3, 6);
  expect(report.classes[1]!.recall).toBeCloseTo(1 / 2, 6);
  expect(report.accuracy).toBe(3 / 5);
  expect(report.micro.f1).toBeCloseTo(3 / 5, 6);
});

test('the macro average leaves out classes without examples, as NeMo does', () => {
  const { macro } = confusionOf([0, 0], [0, 0], 2).report();
  expect(macro.f1).toBeCloseTo(1, 6);
});

test('without examples every score is 0, not NaN', () => {
  const { micro, macro, weighted, accuracy } = new Confusion(2).report();
  const zero = { precision: 0, recall: 0, f1: 0 };
  expect({ micro, macro, weighted, accuracy }).toEqual({ micro: zero, macro: zero, weighted: zero, accuracy: 0 });
});

test.each([
  [3, 0, 'label 3 is not among the 3 classes [0, 2]'],
  [0, -1, 'predicted label -1 is not among the 3 classes [0, 2]'],
  [0.5, 0, 'label 0.5'],
])('label %d with prediction %d is rejected', (label, predicted, message) => {
  expect(() => {
    new Confusion(3).add(label, predicted);
  }).toThrow(message);
});

test('the size of a report grows at most linearly with the number of classes', () => {
  const confusion = new Confusion(250_014);
  confusion.add(104_501, 104_501);
  confusion.add(250_013, 0);
  const report = confusion.report();
  expect(report.accuracy).toBe(0.5);
  expect(report.classes).toHaveLength(250_014);
  expect(report.classes[104_501]).toMatchObject({ support: 1 });
  expect(report.confusion).toEqual([]);
});
