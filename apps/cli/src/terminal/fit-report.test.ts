import { expect, test } from '@jest/globals';
import { fitReport } from './fit-report.js';

// As NeMo's log has it: `formatNemoReport`, with further lines indented.
const report = (label: string): string =>
  [
    '[Nautil I 2026-11-27 03:12:35 text_classification_model] val_report: ',
    `    ${'label'.padEnd(50)}   precision    recall       f1           support   `,
    `    ${label.padEnd(50)}      75.00       2.86       5.50        105`,
    `    ${'weighted avg'.padEnd(50)}      62.16      48.50      33.58        200`,
  ].join('\n');

test('on a wide terminal the table is NeMo’s', () => {
  expect(fitReport(report('negative (label_id: 0)'), 120)).toBe(report('negative (label_id: 0)'));
});

test('on a narrow terminal the labels have the width of the longest, and the numbers stay below their titles', () => {
  expect(fitReport(report('negative (label_id: 0)'), 80).split('\n').slice(1)).toEqual([
    '    label                    precision    recall       f1           support',
    '    negative (label_id: 0)      75.00       2.86       5.50        105',
    '    weighted avg                62.16      48.50      33.58        200',
  ]);
});

test('a label that does not fit is cut, also one that is wider than NeMo’s column', () => {
  for (const length of [40, 60]) {
    const lines = fitReport(report('x'.repeat(length)), 80).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[2]).toMatch(/^ {4}x+… {6}75\.00 {7}2\.86 {7}5\.50 {8}105$/);
  }
});

test('other texts are left as they are, however long they are', () => {
  const text = `note: ${'a long path/'.repeat(20)}\n    indented 1.00 2.00`;
  expect(fitReport(text, 80)).toBe(text);
});
