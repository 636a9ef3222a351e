import { type Static, Type } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import { exponentOf } from './growth.js';
import { loadTableSchema, markdownRow } from './load-table.js';
import { machineSchema } from './machine.js';
import { rounded } from './report.js';

const curveSchema = Type.Object(
  {
    /** What grows, for `--only`. */
    axis: Type.String(),
    figure: Type.String(),
    title: Type.String(),
    unit: Type.String(),
    points: Type.Array(Type.Object({ size: Type.Number(), value: Type.Number() }, { additionalProperties: false }), {
      minItems: 2,
    }),

    /** k of value ≈ c · size^k over all points, and between the last two. */
    exponent: Type.Number(),
    lastExponent: Type.Number(),

    /** When the curve was measured, if that was for an earlier report. */
    recordedAt: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

/** docs/scaling.json. */
const reportSchema = Type.Object(
  {
    recordedAt: Type.String({ description: 'ISO 8601' }),
    mode: Type.Union([Type.Literal('quick'), Type.Literal('full')]),
    machine: machineSchema,
    curves: Type.Array(curveSchema),

    /** Absent in reports of earlier versions. Each states when it was measured. */
    tables: Type.Optional(Type.Array(loadTableSchema)),
  },
  { additionalProperties: false },
);

export type Curve = Static<typeof curveSchema>;
export type ScalingReport = Static<typeof reportSchema>;

const isReport = new Ajv().compile<ScalingReport>(reportSchema);

/** A curve with its exponents. */
export function curveOf(curve: Omit<Curve, 'exponent' | 'lastExponent'>): Curve {
  const { points } = curve;
  return { ...curve, exponent: exponentOf(points), lastExponent: exponentOf(points.slice(-2)) };
}

/** Parses docs/scaling.json; undefined when it is not a report. */
export function parseScalingReport(text: string): ScalingReport | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isReport(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A report of some axes, completed by the others' curves and tables in an earlier report of the same machine and mode, which state when they were
 * measured.
 *
 * @param axes - those that exist, in the order of the report
 * @param incomplete - the axes whose last sizes are missing; their earlier curves are kept, if there are any
 */
export function mergeScaling(
  earlier: ScalingReport | undefined,
  report: ScalingReport,
  axes: readonly string[],
  incomplete: readonly string[] = [],
): ScalingReport {
  const isComparable =
    earlier !== undefined &&
    JSON.stringify([earlier.machine, earlier.mode]) === JSON.stringify([report.machine, report.mode]);
  if (!isComparable) return report;
  const { recordedAt } = earlier;
  const axesOf = (curves: readonly Curve[]): Set<string> => new Set(curves.map(({ axis }) => axis));
  const hasEarlier = axesOf(earlier.curves);
  const measured = report.curves.filter(({ axis }) => !incomplete.includes(axis) || !hasEarlier.has(axis));
  const isMeasured = axesOf(measured);
  const kept = earlier.curves
    .filter(({ axis }) => axes.includes(axis) && !isMeasured.has(axis))
    .map((curve) => ({ ...curve, recordedAt: curve.recordedAt ?? recordedAt }));
  const { tables = [] } = report;
  const hasTable = new Set(tables.map(({ axis }) => axis));
  const keptTables = (earlier.tables ?? []).filter(({ axis }) => axes.includes(axis) && !hasTable.has(axis));
  const inOrder = <T extends { axis: string }>(parts: readonly T[]): T[] =>
    parts.toSorted((a, b) => axes.indexOf(a.axis) - axes.indexOf(b.axis));
  return { ...report, curves: inOrder([...measured, ...kept]), tables: inOrder([...tables, ...keptTables]) };
}

/**
 * docs/scaling.md.
 *
 * @param more - the lines of further sections
 */
export function scalingMarkdown(
  { recordedAt, mode, machine, curves }: ScalingReport,
  axes: readonly { name: string; title: string; remark: string }[],
  more: readonly string[] = [],
): string {
  const sections = axes.flatMap(({ name, title, remark }) => {
    const of = curves.filter(({ axis }) => axis === name);
    const [first] = of;
    if (first === undefined) return [];
    const sizes = first.points.map(({ size }) => size.toLocaleString('en-US'));
    return [
      `## ${title}`,
      '',
      markdownRow(['', ...sizes, 'exponent', 'of the last two']),
      markdownRow(['---', ...sizes.map(() => '---:'), '---:', '---:']),
      ...of.map((curve) =>
        markdownRow([
          `${curve.title}, ${curve.unit}`,
          ...curve.points.map(({ value }) => rounded(value)),
          ...[curve.exponent, curve.lastExponent].map((exponent) => exponent.toFixed(2)),
        ]),
      ),
      '',
      remark,
      '',
      ...(first.recordedAt === undefined ? [] : [`Recorded on ${first.recordedAt.slice(0, 10)}.`, '']),
      `![growth](benchmarks/scaling-${name}.svg)`,
      '',
    ];
  });
  return [
    '# Scaling',
    '',
    `<!-- Written by \`npx nx run benchmark:scaling\`. -->`,
    '',
    `Recorded on ${recordedAt.slice(0, 10)}, unless a section states another date, in the ${mode} mode on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB. ` +
      'First, how time and memory grow: each value is from one process, that of steps the minimum of three. The exponent k fits value ≈ c · size^k: 1 is linear, and 0 is constant. ' +
      'Then, [a model of several GPUs](#several-gpus-and-machines-a-model), and [what one server carries](#what-one-server-carries).',
    '',
    ...sections,
    ...more,
  ].join('\n');
}
