import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { saveScaling } from './save-scaling.js';
import { curveOf, parseScalingReport, type ScalingReport } from './scaling-report.js';

test('a report of growth is saved as JSON, as a page, and as a plot of each measured axis', async () => {
  const points = [1, 10].map((size) => ({ size, value: 2 * size }));
  const report: ScalingReport = {
    ...{ recordedAt: '2026-01-02T03:04:05.000Z', mode: 'full' },
    machine: { cpu: 'CPU', cores: 2, memoryGb: 8, instructions: [] },
    curves: [curveOf({ axis: 'rows', figure: 'step', title: 'a step', unit: 'ms', points })],
  };
  const axes = ['rows', 'trials'].map((name) => ({ name, title: name, remark: 'Linear.' }));
  await withFolder({}, async (folder) => {
    await saveScaling(folder, report, axes);
    expect(parseScalingReport(await readFile(join(folder, 'scaling.json'), 'utf8'))).toEqual(report);
    expect(await readFile(join(folder, 'scaling.md'), 'utf8')).toMatch(/\| a step, ms \| +2\.00 \| 20\.0 \| +1\.00 \|/);
    expect((await readdir(join(folder, 'benchmarks'))).toSorted()).toEqual([
      'planning-bert-base.svg',
      'planning-bert-large.svg',
      'scaling-rows.svg',
    ]);
  });
});
