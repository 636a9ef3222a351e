import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { writeFileAtomic } from '@nautil/store';
import { ratioChart, runsChart } from './charts.js';
import { root } from './paths.js';
import { markdownOf, type Report } from './report.js';

/** Writes benchmarks.json, benchmarks.md and the plots of a report into a folder. */
export async function saveReport(folder: string, report: Report): Promise<void> {
  await writeFileAtomic(join(folder, 'benchmarks.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFileAtomic(join(folder, 'benchmarks.md'), await formatPage('benchmarks.md', markdownOf(report)));
  await writeFileAtomic(join(folder, 'benchmarks', 'ratios.svg'), ratioChart(report.rows));
  await writeFileAtomic(join(folder, 'benchmarks', 'runs.svg'), runsChart(report.rows));
}

/** A page of docs in the style of the repository. */
export async function formatPage(name: string, markdown: string): Promise<string> {
  return format(markdown, { ...(await resolveConfig(join(root, 'docs', name))), parser: 'markdown' });
}
