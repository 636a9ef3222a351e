import { expect, test } from '@jest/globals';
import { ratioChart, runsChart } from './charts.js';
import { describeMachine, hasBfloat16 } from './machine.js';
import { markdownOf, mergeReports, parseReport, type Report, rounded, targetText } from './report.js';
import type { Row } from './row.js';

const row: Row = {
  experiment: 'step',
  name: 'a step <32 × 32>',
  ours: [200, 210, 260],
  peer: [500, 450, 470],
  unit: 'ms',
  ratioOf: 'speed',
  ratio: 2.25,
  target: { ratioAtLeast: 3 },
  met: false,
  notes: ['peer: two\n  lines'],
};

const report: Report = {
  recordedAt: '2026-11-26T09:00:00.000Z',
  mode: 'full',
  commit: '0123456789',
  machine: { cpu: 'CPU', cores: 2, memoryGb: 24.6, instructions: ['avx2', 'avx512f'] },
  versions: { Nautil: '0.2.0', torch: '2.15.0' },
  rows: [row],
  skipped: [{ name: 'sweep', reason: 'takes minutes' }],
};

test('the page has the machine, the versions, a line for each row, the notes, and what was skipped with the reason', () => {
  const page = markdownOf(report);
  expect(page).toContain('- Machine: CPU, 2 cores, 24.6 GB; avx2, avx512f');
  expect(page).toContain('- Versions: Nautil 0.2.0, torch 2.15.0');
  expect(page).toContain('| a step <32 × 32> | 200 ms | 210 ms | 450 ms | 470 ms | 3 / 3 | 2.25 | ≥ 3 | **no** |');
  expect(page).toContain('- a step <32 × 32>: peer: two lines');
  expect(page).toContain('- sweep: takes minutes');
});

test('a side without values has dashes', () => {
  const page = markdownOf({ ...report, rows: [{ ...row, peer: [], ratio: null, target: null, met: null }] });
  expect(page).toContain('| a step <32 × 32> | 200 ms | 210 ms | – | – | 3 / 0 | – | – | – |');
});

test('targets are written with their units', () => {
  expect(targetText({ ratioAtLeast: 2, oursAtMost: 45 }, 's')).toBe('≥ 2, ≤ 45 s');
  expect(targetText({ ratioAtMost: 0.6 }, 'MB')).toBe('≤ 0.6');
  expect(targetText({ withinNoise: true }, '')).toBe('equal within noise');
});

test('values are written with three significant digits', () => {
  expect([0, 0.0123, 1.4777, 48.62, 205.4, 2449.6].map(rounded)).toEqual([
    '0',
    '0.0123',
    '1.48',
    '48.6',
    '205',
    '2450',
  ]);
});

test('a report that was written can be read, and anything else is not a report', () => {
  expect(parseReport(JSON.stringify(report))).toEqual(report);
  expect(parseReport('')).toBeUndefined();
  expect(parseReport(JSON.stringify({ ...report, rows: [{ ...row, ratio: 'two' }] }))).toBeUndefined();
});

test('rows measured again replace those of an earlier report of the same machine; the others are kept in order', () => {
  const names = ['first', 'step', 'sweep'];
  const earlier = { ...report, rows: [{ ...row, experiment: 'first' }, row] };
  const again = { ...report, rows: [{ ...row, ratio: 3 }], skipped: [] };
  expect(mergeReports(earlier, again, names)).toEqual({
    ...report,
    rows: [
      { ...row, experiment: 'first', recordedAt: report.recordedAt, commit: report.commit },
      { ...row, ratio: 3 },
    ],
  });
  const elsewhere = { ...earlier, machine: { ...report.machine, cores: 4 } };
  expect(mergeReports(elsewhere, again, names)).toEqual(again);
});

test('a row that is kept states when and at which commit it was measured, however often it is kept', () => {
  const names = ['step', 'sweep', 'epoch'];
  const later = (commit: string, experiment: string): Report => ({
    ...report,
    ...{ commit, recordedAt: '2026-12-01T09:00:00.000Z', skipped: [] },
    rows: [{ ...row, experiment }],
  });
  const once = mergeReports(report, later('aaaa', 'sweep'), names);
  const twice = mergeReports(once, later('bbbb', 'epoch'), names);
  expect(twice.rows.map(({ experiment, commit }) => [experiment, commit])).toEqual([
    ['step', '0123456789'],
    ['sweep', 'aaaa'],
    ['epoch', undefined],
  ]);
  expect(markdownOf(twice)).toContain('recorded on 2026-11-26 at commit 0123456789; peer: two lines');
  expect(parseReport(JSON.stringify(twice))).toEqual(twice);
});

test('rows and remarks of experiments that no longer exist are dropped', () => {
  const again = { ...report, rows: [], skipped: [] };
  expect(mergeReports(report, again, ['epoch'])).toEqual(again);
});

test('the plots show every row and its target, and escape its name', () => {
  for (const svg of [ratioChart(report.rows), runsChart(report.rows)]) {
    expect(svg).toContain('a step &lt;32 × 32&gt;');
    expect(svg).toMatch(/^<svg [^>]*>[\s\S]*<\/svg>\n$/);
    expect(svg).not.toContain('NaN');
  }
  expect(runsChart(report.rows).match(/<circle /g)).toHaveLength(6);
});

test('plots without values are empty, not broken', () => {
  const empty: Row = { ...row, ours: [], peer: [], ratio: null };
  expect(ratioChart([empty])).not.toContain('<rect');
  expect(runsChart([empty])).not.toContain('<circle');
});

test('the machine is described by its processor and the instructions that matrix multiplications use', () => {
  const cpu = 'processor\t: 0\nmodel name\t: CPU\nflags\t\t: fpu avx2 avx512f avx512_bf16\n';
  expect(describeMachine(cpu)).toMatchObject({ cpu: 'CPU', instructions: ['avx2', 'avx512f', 'avx512_bf16'] });
  expect(hasBfloat16(describeMachine(cpu))).toBe(true);
  expect(hasBfloat16(describeMachine('flags\t: avx2 avx512f\n'))).toBe(false);
});
