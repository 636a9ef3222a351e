import { join } from 'node:path';
import { writeFileAtomic } from '@nautil/store';
import type { Axis } from './axis.js';
import { capacityMarkdown } from './capacity/capacity-report.js';
import { growthChart } from './charts.js';
import { explainDevices } from './planning/device-scaling.js';
import { planningCharts, planningMarkdown } from './planning/planning-report.js';
import { formatPage } from './save-report.js';
import { scalingMarkdown, type ScalingReport } from './scaling-report.js';

/** Writes scaling.json, scaling.md, a plot of each measured axis, and the plots of the model's predictions into a folder. */
export async function saveScaling(
  folder: string,
  report: ScalingReport,
  axes: readonly Pick<Axis, 'name' | 'title' | 'remark'>[],
): Promise<void> {
  await writeFileAtomic(join(folder, 'scaling.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  const { tables = [] } = report;
  const [rates, devices] = ['rates', 'devices'].map((name) => tables.find((table) => table.name === name));
  const scaling = rates && devices && explainDevices(rates, devices);
  const page = scalingMarkdown(report, axes, [...planningMarkdown(scaling), ...capacityMarkdown(tables)]);
  await writeFileAtomic(join(folder, 'scaling.md'), await formatPage('scaling.md', page));
  for (const { name, title } of axes) {
    const curves = report.curves.filter(({ axis }) => axis === name);
    if (curves.length === 0) continue;
    await writeFileAtomic(join(folder, 'benchmarks', `scaling-${name}.svg`), growthChart(title, curves));
  }
  for (const [name, chart] of Object.entries(planningCharts(scaling?.grpc)))
    await writeFileAtomic(join(folder, 'benchmarks', name), chart);
}
