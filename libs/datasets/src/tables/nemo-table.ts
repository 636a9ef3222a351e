import { isSkipped, readExamples } from '../read-examples.js';
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
    if (isSkipped(item)) continue;
    const { text, textPair, label } = item;
    const values: Record<string, unknown> = { text, text_pair: textPair, label };
    yield { position: item.line, values: selected.map((name) => values[name]) };
  }
}
