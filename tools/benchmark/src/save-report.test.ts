import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { parseReport, type Report } from './report.js';
import { saveReport } from './save-report.js';

const report: Report = {
  recordedAt: '2026-11-26T09:00:00.000Z',
  mode: 'full',
  commit: '0123456789',
  machine: { cpu: 'CPU', cores: 2, memoryGb: 24.6, instructions: [] },
  versions: { Nautil: '0.2.0' },
  rows: [
    {
      ...{ experiment: 'step', name: 'a step', ours: [2], peer: [4], unit: 'ms', ratioOf: 'speed', ratio: 2 },
      ...{ target: null, met: null, notes: [] },
    },
  ],
  skipped: [],
};

test('a report is saved as JSON, as a page in the style of the repository, and as plots, and replaces the one before', async () => {
  await withFolder({ 'benchmarks.json': '{"half": ' }, async (folder) => {
    for (const commit of ['0000000000', report.commit]) await saveReport(folder, { ...report, commit });
    const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
    expect(parseReport(await read('benchmarks.json'))).toEqual(report);
    expect(await read('benchmarks.md')).toMatch(/^# Benchmarks\n[^]*\n\| a step \| +2\.00 ms \|/);
    for (const plot of ['ratios', 'runs']) expect(await read(`benchmarks/${plot}.svg`)).toContain('a step');
  });
});
