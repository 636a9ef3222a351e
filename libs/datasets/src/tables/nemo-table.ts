import { isSkipped, readExamples } from '../read-examples.js';
import { inBatches, type Table, type TableRow } from './table.js';
import { tableText } from './table-bytes.js';

/**
 * A file of NeMo's format as a table, for data whose other splits are tables.
 *
 * @param o.hasHeader - whether the first line names the columns, which NeMo's own files do not
 */
export function nemoTable(path: string, { isGzip, hasHeader }: { isGzip: boolean; hasHeader: boolean }): Table {
  return {
    path,
    format: "NeMo's TSV",
    details: isGzip ? ['packed by gzip'] : [],
    columns: ['text', 'label'],
    labelsAreIds: !hasHeader,
    classNames: new Map(),
    placeOf: (position) => `${path}:${position}`,
    rows: (selected) => inBatches(examplesIn(path, isGzip, selected)),
  };
}

async function* examplesIn(path: string, isGzip: boolean, selected: readonly string[]): AsyncGenerator<TableRow> {
  for await (const item of readExamples(tableText(path, isGzip))) {
    if (isSkipped(item)) continue;
    yield {
      position: item.line,
      values: selected.map((name) => (name === 'text' ? item.text : name === 'label' ? item.label : undefined)),
    };
  }
}
