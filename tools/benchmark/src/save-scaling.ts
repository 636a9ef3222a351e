import { join } from 'node:path';
import { writeFileAtomic } from '@nautil/store';
import type { Axis } from './axis.js';
import { growthChart } from './charts.js';
import { formatPage } from './save-report.js';
import { scalingMarkdown, type ScalingReport } from './scaling-report.js';

/** Writes scaling.json, scaling.md and a plot of each measured axis into a folder. */
export async function saveScaling(
  folder: string,
  report: ScalingReport,
  axes: readonly Pick<Axis, 'name' | 'title' | 'remark'>[],
): Promise<void> {
  await writeFileAtomic(join(folder, 'scaling.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFileAtomic(join(folder, 'scaling.md'), await formatPage('scaling.md', scalingMarkdown(report, axes)));
  for (const { name, title } of axes) {
    const curves = report.curves.filter(({ axis }) => axis === name);
    if (curves.length === 0) continue;
    await writeFileAtomic(join(folder, 'benchmarks', `scaling-${name}.svg`), growthChart(title, curves));
  }
}
