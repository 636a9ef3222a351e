import { largest } from '@nautil/contracts';

/** A column of a table: its title and the alignment of its cells. */
export interface Column {
  title: string;
  align: 'left' | 'right';
}

/** Lays out rows of cells in columns as wide as their widest cell, separated by two spaces, without trailing spaces. */
export function layOutTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, i) => largest([titles, ...rows].map((row) => displayWidth(row[i] ?? ''))));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = row[i] ?? '';
        const space = ' '.repeat(widths[i]! - displayWidth(cell));
        return align === 'left' ? cell + space : space + cell;
      })
      .join('  ')
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
