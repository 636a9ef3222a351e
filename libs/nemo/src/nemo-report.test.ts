import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Confusion } from '@nautil/metrics';
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

const workspace = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const recordings = resolve(workspace, '../shared/golden');
const golden = resolve(workspace, process.env['GOLDEN'] ?? recordings);
const parse = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

const cases = parse(resolve(golden, 'classification_report.json')) as GoldenCase[];
const scores = ['precision', 'recall', 'f1'] as const;

/** The float32 behind NeMo's recorded percentage, as our fraction. */
const fraction = (percent: number): number => percent / 100;

/** Some matrix with the recorded true positives, misses and false alarms, for the case recorded without its examples. */
function matrixOf({ num_classes, tp, fn, fp }: GoldenCase): Confusion {
  const confusion = new Confusion(num_classes);
  const misses = [...fn];
  const alarms = [...fp];
  tp.forEach((count, label) => {
    for (let n = 0; n < count; n++) confusion.add(label, label);
  });
  const load = (label: number): number => misses[label]! + alarms[label]!;
  const busiest = (labels: number[]): number => labels.reduce((a, b) => (load(b) > load(a) ? b : a));
  const all = [...tp.keys()];
  // The label with most left goes first: with three classes or more one could end with misses and alarms of its own alone.
  for (let left = fn.reduce((a, b) => a + b); left > 0; left--) {
    const first = busiest(all);
    const isMissed = misses[first]! > 0;
    const other = busiest(all.filter((label) => label !== first && (isMissed ? alarms : misses)[label]! > 0));
    const [label, predicted] = isMissed ? [first, other] : [other, first];
    confusion.add(label, predicted);
    misses[label]!--;
    alarms[predicted]!--;
  }
  expect([...misses, ...alarms].every((left) => left === 0)).toBe(true);
  return confusion;
}

describe.each(cases.map((of) => [of.name, of] as const))('golden case %s', (_, of) => {
  const confusion = of.labels && of.preds ? new Confusion(of.num_classes) : matrixOf(of);
  if (of.labels && of.preds) confusion.addAll(Int32Array.from(of.labels), Int32Array.from(of.preds));
  const names = of.label_ids ? Object.entries(of.label_ids).sort((a, b) => a[1] - b[1]) : undefined;
  const report = confusion.report(names?.map(([name]) => name));

  test.each(['micro', 'macro', 'weighted'] as const)('has the %s averages of NeMo', (mode) => {
    for (const score of scores) {
      expect(Math.abs(report[mode][score] - fraction(of.nemo[mode][score]))).toBeLessThanOrEqual(1.5e-7);
    }
  });

  test('has the scores of every class to the last bit of NeMo’s float32', () => {
    for (const score of scores) {
      expect(report.classes.map((scored) => scored[score])).toEqual(of.nemo.all[score].map(fraction));
    }
  });

  test('prints the table of NeMo to the letter', () => {
    expect(formatNemoReport(report)).toBe(of.report_text);
  });

  test('keeps the counts in the matrix', () => {
    expect(report.confusion.map((row, label) => row[label])).toEqual(of.tp);
    expect(report.classes.map(({ support }) => support)).toEqual(of.tp.map((count, i) => count + of.fn[i]!));
    expect(report.accuracy).toBe(of.tp.reduce((a, b) => a + b) / report.support);
  });
});

test('the table of NeMo 1.8.2’s own file is reproduced, too', () => {
  // NOTE: recorded from NeMo's files once, and not part of the set that GOLDEN names.
  const { case1 } = parse(resolve(recordings, 'nemo-files/report_golden.json')) as {
    case1: { labels: number[]; preds: number[]; num_classes: number; report: string };
  };
  const confusion = new Confusion(case1.num_classes);
  confusion.addAll(case1.labels, case1.preds);
  expect(formatNemoReport(confusion.report())).toBe(case1.report);
});

test.each([
  // 3 of 32, 1 of 32, 5 of 32: exact ties in float32, rounded to even by Python.
  [3, 32, '9.38'],
  [1, 32, '3.12'],
  [5, 32, '15.62'],
  [7, 32, '21.88'],
])('%d right of %d prints %s, as Python rounds', (right, of, printed) => {
  const confusion = new Confusion(2);
  for (let i = 0; i < of; i++) confusion.add(0, i < right ? 0 : 1);
  expect(formatNemoReport(confusion.report()).split('\n')[2]!.split(/\s+/)[3]).toBe(printed);
});

test('names longer than the column, or of characters beyond 16 bits, keep Python’s padding', () => {
  const confusion = new Confusion(2);
  confusion.addAll([0, 1], [0, 1]);
  const [, , wide] = formatNemoReport(confusion.report(['🎬 体育', 'b'])).split('\n');
  expect([...wide!].slice(0, 53).join('')).toBe('🎬 体育 (label_id: 0)'.padEnd(54));
});

test('no example at all gives zeros and no NaN', () => {
  expect(JSON.stringify(new Confusion(2).report())).not.toContain('null');
});

test('two matrices add up to the matrix of all their examples', () => {
  const [a, b, all] = [new Confusion(3), new Confusion(3), new Confusion(3)] as const;
  for (let i = 0; i < 60; i++) {
    (i % 3 ? a : b).add(i % 3, (i * 7) % 3);
    all.add(i % 3, (i * 7) % 3);
  }
  a.merge(b);
  expect(a.report()).toEqual(all.report());
});

test.each([
  [3, 0, 'label 3 is not among the 3 classes [0, 2]'],
  [0, -1, 'predicted label -1 is not among the 3 classes [0, 2]'],
  [0.5, 0, 'label 0.5'],
])('label %d, predicted %d is refused', (label, predicted, message) => {
  expect(() => new Confusion(3).add(label, predicted)).toThrow(message);
});
