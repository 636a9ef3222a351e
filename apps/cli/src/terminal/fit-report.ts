import { largest } from '@nautil/contracts';
import { cutToWidth, displayWidth } from '@nautil/metrics';

/** A row of NeMo's table in its log: indented by four spaces, a label, and four numbers in columns of 11 cells. */
const row = /^ {4}(.*\S) *((?: {3}[ \d.]{8}){4})$/;
const header = /^ {4}(label) +( {3}precision .*\S) *$/;

const indentWidth = 4;

/** The least width of the labels. */
const leastLabel = 8;

/**
 * Fits the table of an evaluation, as NeMo logs it, to a terminal. NeMo's column of labels has 50 cells. On a narrower terminal it
 * is as wide as the longest label, and labels are cut where the rest does not fit. Other entries are returned as they are.
 *
 * @param entry - an entry of the log: one or more lines
 */
export function fitReport(entry: string, width: number): string {
  const lines = entry.split('\n');
  if (lines.every((line) => displayWidth(line.trimEnd()) <= width)) return entry;
  const cells = lines.map((line) => header.exec(line) ?? row.exec(line));
  const rows = cells.filter((found) => found !== null);
  if (rows.length === 0) return entry;
  const longest = largest(rows.map(([, label = '']) => displayWidth(label)));
  const numbers = largest(rows.map(([, , tail = '']) => tail.length));
  const room = Math.max(leastLabel, Math.min(longest, width - indentWidth - numbers));
  return lines
    .map((line, i) => {
      const [, label, tail = ''] = cells[i] ?? [];
      if (label === undefined) return line.trimEnd();
      const cut = cutToWidth(label, room);
      return `${' '.repeat(indentWidth)}${cut}${' '.repeat(room - displayWidth(cut))}${tail}`;
    })
    .join('\n');
}
