import { loadavg } from 'node:os';
import { type Static, Type } from '@sinclair/typebox';
import { rounded } from './report.js';
import type { SideOutput } from './side-output.js';

const columnSchema = Type.Object(
  {
    /** The name of the values in the program's output, one for each row. */
    figure: Type.String(),
    title: Type.String(),
    unit: Type.String(),
  },
  { additionalProperties: false },
);

/** Measurements under increasing load: a row for each load. */
export const loadTableSchema = Type.Object(
  {
    /** What is measured, for `--only`. */
    axis: Type.String(),

    /** Unique among the tables. */
    name: Type.String(),
    columns: Type.Array(columnSchema, { minItems: 2 }),
    rows: Type.Array(Type.Array(Type.Number()), { minItems: 1 }),

    /** From the program: what a reader must know to judge the values. */
    notes: Type.Array(Type.String()),
    recordedAt: Type.String({ description: 'ISO 8601' }),

    /** The load average of the machine over the five minutes before: how many threads ran or waited for a processor. */
    loadBefore: Type.Number(),
  },
  { additionalProperties: false },
);

export type Column = Static<typeof columnSchema>;
export type LoadTable = Static<typeof loadTableSchema>;

/** A table of a program's output, and what the report says about it. */
export interface TableSpec {
  name: string;
  title: string;
  columns: Column[];

  /** What the table shows, in full sentences. */
  remark: string;
}

/** For `tablesOf`, before the program starts. */
export const loadAverage = (): number => Math.round((loadavg()[1] ?? 0) * 10) / 10;

/**
 * The tables of a program's output.
 *
 * @throws Error when the columns of a table have different numbers of values
 */
export function tablesOf(
  axis: string,
  specs: readonly TableSpec[],
  { figures, notes = [] }: SideOutput,
  loadBefore: number,
): LoadTable[] {
  const recordedAt = new Date().toISOString();
  return specs.map(({ name, columns }) => {
    const values = columns.map(({ figure }) => figures[figure] ?? []);
    const lengths = new Set(values.map(({ length }) => length));
    if (lengths.size !== 1)
      throw new Error(
        `the columns of ${name} have different lengths: ${columns.map(({ figure }) => figure).join(', ')}`,
      );
    const rows = (values[0] ?? []).map((_, row) => values.map((column) => column[row] ?? NaN));
    return { axis, name, columns, rows, notes, recordedAt, loadBefore };
  });
}

/** The values of a column. */
export function columnOf({ columns, rows }: LoadTable, figure: string): number[] {
  const at = columns.findIndex((column) => column.figure === figure);
  return at < 0 ? [] : rows.map((row) => row[at] ?? NaN);
}

/** A section of the report, in Markdown. */
export function tableSection({ title, remark }: TableSpec, table: LoadTable): string[] {
  const { columns, rows, notes, recordedAt, loadBefore } = table;
  return [
    `### ${title}`,
    '',
    markdownRow(columns.map((column) => (column.unit === '' ? column.title : `${column.title}, ${column.unit}`))),
    markdownRow(columns.map(() => '---:')),
    ...rows.map((row) => markdownRow(row.map(cell))),
    '',
    [
      remark,
      ...notes.map((note) => (note.endsWith('.') ? note : `${note}.`)),
      conditionsOf({ recordedAt, loadBefore }),
    ].join(' '),
    '',
  ];
}

/** When a table was measured, and what else the machine did. */
export function conditionsOf({ recordedAt, loadBefore }: Pick<LoadTable, 'recordedAt' | 'loadBefore'>): string {
  const others = loadBefore < 1 ? '' : ', while other programs used the machine, too';
  return `Recorded on ${recordedAt.slice(0, 10)}${others}; the load average was ${loadBefore.toFixed(1)} before.`;
}

export const markdownRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const cell = (value: number): string =>
  Number.isInteger(value)
    ? value.toLocaleString('en-US')
    : value >= 1000
      ? Math.round(value).toLocaleString('en-US')
      : rounded(value);
