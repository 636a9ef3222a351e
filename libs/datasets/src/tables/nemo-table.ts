import type { Example } from '@nautil/contracts';
import { wordsOf } from '../parse-pair.js';
import { isSkipped, readExamples } from '../read-examples.js';
import type { SkippedLine } from '../skipped-line.js';
import { nameRank } from './column-names.js';
import { inBatches, type Table, type TableRow } from './table.js';
import { tableText } from './table-bytes.js';

/**
 * A file of NeMo's format as a table, for data whose other splits are tables.
 *
 * @param o.hasHeader - whether the first line names the columns, which NeMo's own files do not
 * @param o.pairs - whether each line has two texts
 */
export function nemoTable(
  path: string,
  { isGzip, hasHeader, pairs = false }: { isGzip: boolean; hasHeader: boolean; pairs?: boolean },
): Table {
  return {
    path,
    format: "NeMo's TSV",
    details: isGzip ? ['packed by gzip'] : [],
    columns: ['text', ...(pairs ? ['text_pair'] : []), 'label'],
    labelsAreIds: !hasHeader,
    classNames: new Map(),
    placeOf: (position) => `${path}:${position}`,
    rows: (selected) => inBatches(examplesIn(path, { isGzip, pairs, selected })),
  };
}

async function* examplesIn(
  path: string,
  { isGzip, pairs, selected }: { isGzip: boolean; pairs: boolean; selected: readonly string[] },
): AsyncGenerator<TableRow> {
  for await (const item of readExamples(tableText(path, isGzip), { pairs })) {
    const row: Partial<NemoRow> | undefined = isSkipped(item) ? unlabelledRow(item, { pairs }) : item;
    if (row === undefined) continue;
    const values: Record<string, unknown> = { text: row.text, text_pair: row.textPair, label: row.label };
    yield { position: item.line, values: selected.map((name) => values[name]) };
  }
}

type NemoRow = Pick<Example, 'text' | 'textPair'> & { label: number | undefined };

/**
 * The text of a line without a label that NeMo reads, for which it skips the line: what precedes the tab before the label. Undefined
 * for a blank line, a header, and a line that has not two texts in a file of pairs.
 */
export function unlabelledRow({ line, content }: SkippedLine, o: { pairs: boolean }): NemoRow | undefined {
  if (content.trim() === '' || (line === 1 && namesLabelLast(content))) return undefined;
  const cells = content.split('\t');
  if (!o.pairs) return { text: wordsOf(cells.slice(0, Math.max(1, cells.length - 1)).join(' ')), label: undefined };
  const [first = '', second] = cells;
  if (second === undefined || cells.length > 3) return undefined;
  return { text: wordsOf(first), textPair: wordsOf(second), label: undefined };
}

/** Whether a line is a header of two columns, of which the second has the labels. */
export function namesLabelLast(line: string): boolean {
  const [, label = '', ...more] = line.split('\t');
  return more.length === 0 && nameRank(label, 'label') > 0;
}

/** Whether a line is the header of a text and its label. */
export const namesTextAndLabel = (line: string): boolean =>
  namesLabelLast(line) && nameRank(line.slice(0, line.indexOf('\t')), 'text') > 0;
