import { largest } from '@nautil/contracts';

/** A column of a table. */
export interface Column {
  title: string;
  align: 'left' | 'right';

  /** A title for a table that is too wide. */
  short?: string;

  /** A table that is still too wide leaves columns out, the one with the highest number first. */
  optional?: number;
}

const gap = 2;

/** The least width of a column whose cells are cut. */
const leastWidth = 8;

/**
 * Lays out rows of cells in columns as wide as their widest cell, separated by two spaces, without trailing spaces.
 *
 * @param o.width - terminal cells that are available; default: any number. A wider table has short titles, then fewer columns,
 *   and then cells of the widest left-aligned column that are cut. Numbers are never cut.
 */
export function layOutTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width = Infinity }: { width?: number } = {},
): string {
  let table: Table = { columns, rows, titles: columns.map(({ title }) => title) };
  if (widthOf(table) > width) table = { ...table, titles: columns.map(({ title, short }) => short ?? title) };
  while (widthOf(table) > width) {
    const least = leastOf(table.columns);
    if (least === undefined) break;
    table = withoutColumn(table, least);
  }
  return print(table, cutWidths(table, width));
}

interface Table {
  columns: readonly Column[];
  rows: readonly (readonly string[])[];
  titles: readonly string[];
}

const widthsOf = ({ columns, rows, titles }: Table): number[] =>
  columns.map((_, i) => largest([titles, ...rows].map((row) => displayWidth(row[i] ?? ''))));

const totalOf = (widths: readonly number[]): number =>
  widths.reduce((sum, one) => sum + one, 0) + gap * Math.max(0, widths.length - 1);

const widthOf = (table: Table): number => totalOf(widthsOf(table));

/** The index of the column to leave out first. */
function leastOf(columns: readonly Column[]): number | undefined {
  const most = largest(columns.map(({ optional = 0 }) => optional));
  return most > 0 ? columns.findIndex(({ optional }) => optional === most) : undefined;
}

const withoutColumn = ({ columns, rows, titles }: Table, index: number): Table => ({
  columns: columns.filter((_, i) => i !== index),
  rows: rows.map((row) => row.filter((_, i) => i !== index)),
  titles: titles.filter((_, i) => i !== index),
});

/** Widths of the columns, of which the widest left-aligned ones are reduced until the table fits. */
function cutWidths(table: Table, width: number): number[] {
  const widths = widthsOf(table);
  for (let excess = totalOf(widths) - width; excess > 0; excess = totalOf(widths) - width) {
    const names = table.columns.flatMap(({ align }, i) => (align === 'left' && widths[i]! > leastWidth ? [i] : []));
    if (names.length === 0) break;
    const widest = names.reduce((a, b) => (widths[b]! > widths[a]! ? b : a));
    widths[widest]!--;
  }
  return widths;
}

function print({ columns, rows, titles }: Table, widths: readonly number[]): string {
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = cutToWidth(row[i] ?? '', widths[i]!);
        const space = ' '.repeat(widths[i]! - displayWidth(cell));
        return align === 'left' ? cell + space : space + cell;
      })
      .join(' '.repeat(gap))
      .trimEnd();
  return [titles, ...rows].map(line).join('\n');
}

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303F\uFF00-\uFF60]/u;
const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** The width of a text in terminal cells: two for a Chinese character or an emoji, none for a combining mark. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += zeroWidth.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}

/** Cuts a text to at most `width` terminal cells; an ellipsis marks a cut. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  for (const character of text) {
    if (displayWidth(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}
