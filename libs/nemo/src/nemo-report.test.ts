import { describe, expect, test } from '@jest/globals';
import { Confusion } from '@nautil/metrics';
import { readGoldenJson } from '@nautil/testing';
import { formatNemoReport } from './nemo-report.js';

interface GoldenCase {
  name: string;
  num_classes: number;
  label_ids: Record<string, number> | null;
  nemo: Record<'micro' | 'macro' | 'weighted', Record<'precision' | 'recall' | 'f1', number>> & {
    all: Record<'precision' | 'recall' | 'f1', number[]>;
  };
  report_text: string;
  tp: number[];
  fn: number[];
  fp: number[];
  labels?: number[];
  preds?: number[];
}

const cases = readGoldenJson('classification_report.json') as GoldenCase[];
const scores = ['precision', 'recall', 'f1'] as const;

/** The float32 behind NeMo's recorded percentage, as our fraction. */
const fraction = (percent: number): number => percent / 100;

/** A matrix with the recorded true positives, false negatives and false positives, for the case recorded without its examples. */
function matrixOf({ num_classes, tp, fn, fp }: GoldenCase): Confusion {
  const confusion = new Confusion(num_classes);
  const misses = [...fn]; // false negatives left to place, by label
  const alarms = [...fp]; // false positives left to place, by label
  tp.forEach((count, label) => {
    for (let n = 0; n < count; n++) confusion.add(label, label);
  });
  const load = (label: number): number => misses[label]! + alarms[label]!;
  const busiest = (labels: number[]): number => labels.reduce((a, b) => (load(b) > load(a) ? b : a));
  const all = [...tp.keys()];
  // Placing the label with the most left first avoids ending with one label whose misses and alarms only match itself.
  for (let left = fn.reduce((a, b) => a + b); left > 0; left--) {
    const first = busiest(all);
    const isMissed = misses[first]! > 0;
    const other = busiest(all.filter((label) => label !== first && (isMissed ? alarms : misses)[label]! > 0));
    const [label, predicted] = isMissed ? [first, other] : [other, first];
    confusion.add(label, predicted);
    misses[label]!--;
    alarms[predicted]!--;
  }
  expect([misses, alarms]).toEqual([fn.map(() => 0), fp.map(() => 0)]);
  return confusion;
}

function confusionOf(labels: readonly number[], predicted: readonly number[], numClasses: number): Confusion {
  const confusion = new Confusion(numClasses);
  labels.forEach((label, row) => {
    confusion.add(label, predicted[row]!);
  });
  return confusion;
}

describe.each(cases.map((recorded) => [recorded.name, recorded] as const))('golden case %s', (_, recorded) => {
  const { labels, preds, num_classes } = recorded;
  const confusion = labels && preds ? confusionOf(labels, preds, num_classes) : matrixOf(recorded);
  const names = recorded.label_ids ? Object.entries(recorded.label_ids).sort((a, b) => a[1] - b[1]) : undefined;
  const report = confusion.report(names?.map(([name]) => name));

  test.each(['micro', 'macro', 'weighted'] as const)('has the %s averages of NeMo within 1.5e-7', (mode) => {
    const differences = scores.map((score) => Math.abs(report[mode][score] - fraction(recorded.nemo[mode][score])));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1.5e-7);
  });

  test('has the scores of every class to the last bit of NeMo’s float32', () => {
    for (const score of scores) {
      expect(report.classes.map((scored) => scored[score])).toEqual(recorded.nemo.all[score].map(fraction));
    }
  });

  test('prints NeMo’s table character for character', () => {
    expect(formatNemoReport(report)).toBe(recorded.report_text);
  });

  test('keeps the counts in the matrix', () => {
    expect(report.confusion.map((row, label) => row[label])).toEqual(recorded.tp);
    expect(report.classes.map(({ support }) => support)).toEqual(
      recorded.tp.map((count, i) => count + recorded.fn[i]!),
    );
    expect(report.accuracy).toBe(recorded.tp.reduce((a, b) => a + b) / report.support);
  });
});

test('the report of NeMo 1.8.2 is reproduced, too', () => {
  const { case1 } = readGoldenJson('nemo-files/report_golden.json') as {
    case1: { labels: number[]; preds: number[]; num_classes: number; report: string };
  };
  const confusion = confusionOf(case1.labels, case1.preds, case1.num_classes);
  expect(formatNemoReport(confusion.report())).toBe(case1.report);
});

test.each([
  // Exact ties in float32, which Python rounds to even.
  [3, 32, '9.38'],
  [1, 32, '3.12'],
  [5, 32, '15.62'],
  [7, 32, '21.88'],
])('%d correct of %d prints %s, as Python rounds', (correct, total, printed) => {
  const confusion = new Confusion(2);
  for (let i = 0; i < total; i++) confusion.add(0, i < correct ? 0 : 1);
  expect(formatNemoReport(confusion.report()).split('\n')[2]!.split(/\s+/)[3]).toBe(printed);
});

test('names with characters outside the BMP are padded by code points, as Python pads', () => {
  const confusion = confusionOf([0, 1], [0, 1], 2);
  const [, , wide] = formatNemoReport(confusion.report(['🎬 体育', 'b'])).split('\n');
  expect([...wide!].slice(0, 53).join('')).toBe('🎬 体育 (label_id: 0)'.padEnd(54));
});

test('a report of more than a thousand classes ends with the number of the others', () => {
  const lines = formatNemoReport(new Confusion(1001).report()).split('\n');
  expect(lines[1002]).toBe('and 1 more class');
  expect(lines).toHaveLength(2 + 1000 + 1 + 1 + 3 + 1);
});
