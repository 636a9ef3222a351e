import { expect, test } from '@jest/globals';
import type { EpochEvaluated } from '@nautil/contracts';
import { Confusion } from './confusion.js';
import { formatHistory, formatReport } from './format-report.js';
import { displayWidth } from './text-table.js';

const names = ['negative', '体育', 'mixed'];

/** An evaluation in which `correct` of 10 examples of each class are classified correctly. */
function evaluation(epoch: number, correct: number, split: 'val' | 'test' = 'val'): EpochEvaluated {
  const confusion = new Confusion(names.length);
  for (let label = 0; label < names.length; label++) {
    for (let i = 0; i < 10; i++) confusion.add(label, i < correct ? label : (label + 1) % names.length);
  }
  const report = confusion.report(names);
  return { type: 'eval', split, step: (epoch + 1) * 100, epoch, loss: 1 / (epoch + 1), report, timestampMs: 0 };
}

test('a report has one row per class and average, aligned under the column titles', () => {
  const lines = formatReport(evaluation(0, 7).report).split('\n');
  expect(lines).toHaveLength(1 + 3 + 1 + 3);
  expect(lines[0]).toBe('class             precision %  recall %   F1 %  examples');
  expect(lines[2]).toBe('体育                    70.00     70.00  70.00        10');
  expect(lines.at(-2)).toBe('macro average           70.00     70.00  70.00        30');
  for (const line of lines.filter(Boolean)) expect(displayWidth(line)).toBe(displayWidth(lines[0]!));
});

test('the history lists every epoch and every class per epoch, and marks the best epoch by the monitor', () => {
  const best = { ...evaluation(1, 8), bestBy: 'val_loss' };
  const text = formatHistory([evaluation(0, 6), evaluation(2, 9), evaluation(1, 9, 'test'), best]);
  const [validation, testSplit] = text.split('\n\ntest, averages');
  expect(/^ *2\* +200 +0\.5000 +80\.00/m.exec(validation!)).not.toBeNull();
  expect(/^ *1 .*\n *2\* .*\n *3 /m.exec(validation!)).not.toBeNull();
  expect(validation).toContain('* best by val_loss');
  expect(/^体育 +1 +100 +60\.00 +60\.00 +60\.00 +10$/m.exec(validation!)).not.toBeNull();
  expect(validation!.match(/^ +2\* +200 +80\.00/gm)).toHaveLength(3);
  expect(/^negative +2 +200 +90\.00/m.exec(testSplit!)).not.toBeNull();
  expect(testSplit!).not.toContain('*');
});

test('a long run shows its best and most recent epochs and the number of hidden ones', () => {
  const evaluations = Array.from({ length: 40 }, (_, epoch) => ({
    ...evaluation(epoch, 5),
    ...(epoch === 3 && { bestBy: 'val_f1' }),
  }));
  const text = formatHistory(evaluations, { maxEpochs: 5 });
  const epochs = [...text.split('\n\n')[0]!.matchAll(/^ *(\d+)[* ] /gm)].map(([, epoch]) => Number(epoch));
  expect(epochs).toEqual([4, 37, 38, 39, 40]);
  expect(text).toContain('35 earlier evaluations are not shown');
});

test('an epoch is only marked as the best if the run has a monitor', () => {
  expect(formatHistory([evaluation(0, 6), evaluation(1, 9)])).not.toContain('*');
});

test('without evaluations nothing is printed', () => {
  expect(formatHistory([])).toBe('');
});

test('tables of more than a hundred classes end with the number of the others', () => {
  const report = new Confusion(150).report();
  const lines = formatReport(report).split('\n');
  expect(lines).toHaveLength(1 + 100 + 1 + 3);
  expect(lines[101]).toBe('and 50 more classes');
  const history = formatHistory([{ ...evaluation(0, 7), report }]).split('\n');
  expect(history.at(-1)).toBe('and 50 more classes');
  expect(history.length).toBeLessThan(110);
});

test.each([60, 80, 100, 120])('tables fit a terminal of %d columns, and keep every number that they show', (width) => {
  const evaluations = [evaluation(0, 6), evaluation(1, 9)];
  const { report } = evaluations[1]!;
  const tables = [formatReport(report, { width }), formatHistory(evaluations, { width })].join('\n').split('\n');
  for (const line of tables) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  expect(tables.join('\n')).toContain('macro average');
  expect(tables.join('\n')).not.toContain('…');
});

test('names are cut in a table that does not fit otherwise', () => {
  const { report } = evaluation(0, 7);
  report.classes[0]!.labelName = 'a very long name of a class, longer than the terminal is wide';
  const lines = formatReport(report, { width: 50 }).split('\n');
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(50);
  expect(lines[1]).toMatch(/^a very .*… +\d/);
});
