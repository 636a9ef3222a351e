import { type Static, Type } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import { smallest } from '@nautil/contracts';
import type { Target } from './experiment.js';
import { machineSchema } from './machine.js';
import { median, type Row, rowSchema } from './row.js';

/** docs/benchmarks.json. */
const reportSchema = Type.Object(
  {
    recordedAt: Type.String({ description: 'ISO 8601' }),
    mode: Type.Union([Type.Literal('quick'), Type.Literal('full')]),
    commit: Type.String({ description: 'of this repository; with -dirty when files had changed' }),
    machine: machineSchema,
    versions: Type.Record(Type.String(), Type.String()),
    rows: Type.Array(rowSchema),
    skipped: Type.Array(Type.Object({ name: Type.String(), reason: Type.String() }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

export type Report = Static<typeof reportSchema>;

const isReport = new Ajv().compile<Report>(reportSchema);

/** Parses docs/benchmarks.json; undefined when it is not a report. */
export function parseReport(text: string): Report | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isReport(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A report of some experiments, completed by the rows of an earlier report of the same machine, mode and versions, which state when
 * they were measured. The rows are in the order of `names`, the experiments that exist.
 */
export function mergeReports(earlier: Report | undefined, report: Report, names: readonly string[]): Report {
  const isComparable =
    earlier !== undefined &&
    JSON.stringify([earlier.machine, earlier.mode, earlier.versions]) ===
      JSON.stringify([report.machine, report.mode, report.versions]);
  if (!isComparable) return report;
  const measured = new Set(report.rows.map(({ experiment }) => experiment));
  const { recordedAt, commit } = earlier;
  const kept = earlier.rows
    .filter(({ experiment }) => names.includes(experiment) && !measured.has(experiment))
    .map((row) => ({ ...row, recordedAt: row.recordedAt ?? recordedAt, commit: row.commit ?? commit }));
  const rows = [...report.rows, ...kept];
  const inRows = new Set(rows.map(({ experiment }) => experiment));
  const skipped = [...report.skipped, ...earlier.skipped].filter(
    ({ name }, at, all) =>
      names.includes(name) && !inRows.has(name) && all.findIndex((other) => other.name === name) === at,
  );
  const order = (name: string): number => names.indexOf(name);
  return {
    ...report,
    rows: rows.toSorted((a, b) => order(a.experiment) - order(b.experiment)),
    skipped: skipped.toSorted((a, b) => order(a.name) - order(b.name)),
  };
}

/** docs/benchmarks.md. */
export function markdownOf({ recordedAt, mode, commit, machine, versions, rows, skipped }: Report): string {
  const date = recordedAt.slice(0, 10);
  const header = ['', 'ours: minimum', 'median', 'peer: minimum', 'median', 'runs', 'ratio', 'target', 'met'];
  const notes = rows.flatMap((row) => {
    const all = notesOf(row);
    return all.length === 0 ? [] : [`${row.name}: ${all.map(oneLine).join('; ')}`];
  });
  return [
    '# Benchmarks',
    '',
    '<!-- Written by `npx nx run benchmark:peers`. -->',
    '',
    `Nautil and its peers, run alternately on one machine. Recorded on ${date} at commit ${commit} in the ${mode} mode; ` +
      '`npx nx run benchmark:peers` repeats it, and [the experiments](../tools/benchmark/src/experiments.ts) are the programs and arguments of each row. ' +
      '[benchmarks.json](benchmarks.json) has every value.',
    '',
    `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB; ${machine.instructions.join(', ')}`,
    `- Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    '- The ratio of times is the peer’s minimum / ours, that of sizes our minimum / the peer’s, that of scores our mean / the peer’s.',
    '',
    '![ratios and targets](benchmarks/ratios.svg)',
    '',
    tableLine(header),
    tableLine(header.map((_, at) => (at === 0 || at === 8 ? '---' : '---:'))),
    ...rows.map((row) => tableLine(cellsOf(row))),
    '',
    '![every run](benchmarks/runs.svg)',
    '',
    ...section('Notes', notes),
    ...section(
      'Not measured',
      skipped.map(({ name, reason }) => `${name}: ${oneLine(reason)}`),
    ),
  ].join('\n');
}

const notesOf = ({ notes, recordedAt, commit }: Row): string[] =>
  recordedAt === undefined
    ? notes
    : [`recorded on ${recordedAt.slice(0, 10)} at commit ${commit ?? 'unknown'}`, ...notes];

function cellsOf({ name, ours, peer, unit, ratio, target, met }: Row): string[] {
  const value = (of: (values: readonly number[]) => number, values: readonly number[]): string =>
    values.length === 0 ? '–' : `${rounded(of(values))} ${unit}`.trim();
  return [
    name,
    value(smallest, ours),
    value(median, ours),
    value(smallest, peer),
    value(median, peer),
    `${ours.length} / ${peer.length}`,
    ratio === null ? '–' : ratio.toFixed(2),
    target ? targetText(target, unit) : '–',
    met === null ? '–' : met ? 'yes' : '**no**',
  ];
}

export function targetText({ ratioAtLeast, ratioAtMost, oursAtMost, withinNoise }: Target, unit: string): string {
  return [
    ...(ratioAtLeast === undefined ? [] : [`≥ ${ratioAtLeast}`]),
    ...(ratioAtMost === undefined ? [] : [`≤ ${ratioAtMost}`]),
    ...(oursAtMost === undefined ? [] : [`≤ ${oursAtMost} ${unit}`.trim()]),
    ...(withinNoise ? ['equal within noise'] : []),
  ].join(', ');
}

/** Three significant digits, but at most four decimals, without an exponent. */
export function rounded(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

const section = (title: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : [`## ${title}`, '', ...items.map((item) => `- ${item}`), ''];

const tableLine = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
