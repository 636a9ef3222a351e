import { type Options, parse } from 'csv-parse/sync';
import { DataError } from '../data-error.js';
import { readLines } from '../read-lines.js';
import { isUsualName } from './column-names.js';
import { quotesCells } from './quoted-cells.js';
import type { Table, TableFormat, TableRow } from './table.js';
import { tableText } from './table-bytes.js';

/** How the cells of a text are separated. */
export interface Dialect {
  delimiter: string;

  /** Whether quotation marks enclose cells; otherwise they are ordinary characters. */
  quotes: boolean;

  hasHeader: boolean;

  /** Whether the content alone shows that the first row is a header, since its names are unusual. */
  isHeaderByContent?: boolean;

  /** The names of the columns, or their numbers without a header. */
  columns: string[];
}

/** Longer cells mean that a quotation mark is not closed. */
const maxCellLength = 1 << 24;

/** Share of the sampled records that must have the columns of the first. */
const consistentShare = 0.8;
const longestName = 40;

/** With fewer rows, it may be chance that a label occurs in the first row alone. */
const fewestExamples = 10;

/** The characters that may separate cells. */
export const delimiters = ['\t', ',', ';', '|'];
const delimiterNames: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '|': 'vertical bars' };

/**
 * The dialect of a text with at least two columns, from its first lines; undefined if no delimiter divides most of them alike.
 *
 * @param sample - complete records, but for the last if `isCut`
 * @param marked - lines from which it is seen whether quotation marks enclose the cells of a TSV
 */
export function dialectOf(sample: string, isCut: boolean, marked = { text: sample, isCut }): Dialect | undefined {
  let best: { dialect: Dialect; share: number } | undefined;
  for (const delimiter of delimiters) {
    const quotes = delimiter !== '\t' || quotesCells(marked.text, marked.isCut);
    const records = recordsOf(sample, { delimiter, quotes, isCut });
    const width = records[0]?.length ?? 0;
    if (width < 2) continue;
    const share = records.filter((record) => record.length === width).length / records.length;
    if (share < consistentShare || share <= (best?.share ?? 0)) continue;
    best = { share, dialect: { delimiter, quotes, ...headerOf(records) } };
  }
  return best?.dialect;
}

/** The dialect of a text that its extension calls a table, though it has one column. */
export function oneColumnDialect(sample: string, isCut: boolean, delimiter: string): Dialect | undefined {
  const records = recordsOf(sample, { delimiter, quotes: true, isCut });
  if (records.length < 2) return undefined;
  const header = headerOf(records);
  const [first = [], ...others] = records;
  const isOne = ({ length }: readonly string[]): boolean => length === 1;
  // Some texts below the usual name of a column may have commas, and no marks around them.
  const hasInner = isOne(first) && isUsualName(first[0] ?? '') && others.some(isOne) && !others.every(isOne);
  return { delimiter: hasInner ? '\t' : delimiter, quotes: true, ...header };
}

function recordsOf(sample: string, o: { delimiter: string; quotes: boolean; isCut: boolean }): string[][] {
  const complete = o.isCut ? sample.slice(0, sample.lastIndexOf('\n') + 1) : sample;
  const records: string[][] = [];
  try {
    // `on_record` collects what precedes a faulty record, so that the end of the sample may be inside one.
    parse(complete, {
      ...optionsOf(o),
      on_record: (record: string[]) => {
        if (record.length > 1 || record[0] !== '') records.push(record);
        return null;
      },
    });
  } catch (error) {
    // The reader of all records reports the fault with its line.
    if ((error as { code?: string }).code?.startsWith('CSV_') !== true) throw error;
  }
  return records;
}

const optionsOf = ({ delimiter, quotes }: Pick<Dialect, 'delimiter' | 'quotes'>): Options => ({
  delimiter,
  quote: quotes ? '"' : null,
  // A quotation mark inside an unquoted cell is an ordinary character.
  relax_quotes: true,
  record_delimiter: ['\r\n', '\n', '\r'],
  relax_column_count: true,
  max_record_size: maxCellLength,
});

/** Whether the first record names the columns. Labels of a text column recur, and names do not. */
function headerOf(records: readonly string[][]): Pick<Dialect, 'hasHeader' | 'isHeaderByContent' | 'columns'> {
  const [first = [], ...others] = records;
  const names = first.map((cell) => cell.trim());
  const mayBeNames =
    new Set(names).size === names.length && !names.some((name) => isNumber(name) || isUsualLabelValue(name));
  const isUsual = names.every((name) => name.length <= longestName) && names.some(isUsualName);
  const isNew = !names.some((name, column) => recurs(name, column, others));
  const areShort = names.every((name) => name.length <= longestName) && looksLikeNames(names);
  const isByContent = mayBeNames && !isUsual && isNew && !areShort && names.some((_, at) => areLabels(at, others));
  const isHeader = mayBeNames && (isUsual || (isNew && areShort) || isByContent);
  // Programs that write an index give it no name.
  return isHeader
    ? {
        hasHeader: true,
        isHeaderByContent: isByContent,
        columns: names.map((name, index) => (name === '' ? `column ${index + 1}` : name)),
      }
    : { hasHeader: false, columns: names.map((_, index) => String(index + 1)) };
}

const isNumber = (text: string): boolean => /^[-+]?\d*[.,]?\d+$/.test(text);

/**
 * Whether a column has labels below the first row: there are at least two, and each of them recurs. A first row that has another
 * value there is then hardly an example, however its text reads.
 */
function areLabels(column: number, records: readonly string[][]): boolean {
  const counts = new Map<string, number>();
  for (const record of records) {
    const value = record[column]?.trim() ?? '';
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return (
    records.length >= fewestExamples &&
    counts.size >= 2 &&
    counts.size <= records.length / 3 &&
    [...counts].every(([value, count]) => value !== '' && count > 1)
  );
}

const recurs = (value: string, column: number, records: readonly string[][]): boolean =>
  records.some((record) => record[column]?.trim() === value);

/** Values that are labels and never the names of columns. */
const isUsualLabelValue = (name: string): boolean =>
  /^(?:positive|negative|neutral|pos|neg|true|false|yes|no|spam|ham)$/i.test(name);

/** Names have few words, and no punctuation of sentences. */
const looksLikeNames = (names: readonly string[]): boolean =>
  names.every((name) => name.split(/\s+/).length <= 3 && !/[.!?,;]/.test(name));

export const formatOf = ({ delimiter }: Pick<Dialect, 'delimiter'>): TableFormat =>
  delimiter === '\t' ? 'TSV' : 'CSV';

/** A text whose cells are separated by a delimiter. */
export function delimitedTable(path: string, dialect: Dialect, isGzip: boolean): Table {
  const { delimiter, hasHeader, isHeaderByContent = false, columns } = dialect;
  const placeOf = (position: number): string => `${path}:${position}`;
  return {
    path,
    format: formatOf(dialect),
    details: [
      ...(delimiter === '\t' ? [] : [`separated by ${delimiterNames[delimiter]}`]),
      ...(hasHeader ? (isHeaderByContent ? ['the first row is taken as the header'] : []) : ['no header']),
      ...(isGzip ? ['packed by gzip'] : []),
    ],
    delimiter,
    columns,
    classNames: new Map(),
    placeOf,
    rows: (selected) => rowsIn(path, { dialect, isGzip, selected, placeOf }),
  };
}

interface ReadingOptions {
  dialect: Dialect;
  isGzip: boolean;
  selected: readonly string[];
  placeOf: (position: number) => string;
}

/**
 * The rows of the file. Blocks of lines are parsed one after the other: with csv-parse's stream, through which each record
 * passes on its own, two passes over a million rows took 60 s in place of 43 s.
 */
async function* rowsIn(path: string, o: ReadingOptions): AsyncGenerator<TableRow[]> {
  const { columns, hasHeader } = o.dialect;
  const indexes = o.selected.map((name) => columns.indexOf(name));
  let isFirst = hasHeader;
  for await (const records of recordsIn(path, o)) {
    const batch: TableRow[] = [];
    for (const { position, record } of records) {
      if (isFirst) {
        isFirst = false;
        continue;
      }
      if (record.length > columns.length && record.slice(columns.length).some((cell) => cell !== ''))
        throw tooManyCells(o.placeOf(position), record, o.dialect);
      batch.push({ position, values: indexes.map((index) => record[index]) });
    }
    yield batch;
  }
}

/** A record and the number of the line on which it starts. */
interface DelimitedRecord {
  position: number;
  record: string[];
}

async function* recordsIn(
  path: string,
  { dialect, isGzip, placeOf }: ReadingOptions,
): AsyncGenerator<DelimitedRecord[]> {
  let text = '';
  let line = 1;
  // A cell that continues in the next block is parsed again. The block doubles, so that long cells do not take long.
  let nextLength = 0;
  for await (const lines of readLines(tableText(path, isGzip), { keepLineEnds: true })) {
    text += lines.join('');
    if (text.length < nextLength) continue;
    const { records, linesRead, isOpen } = parseBlock(text, { dialect, line, placeOf });
    line += linesRead;
    text = isOpen ? afterLines(text, linesRead) : '';
    nextLength = isOpen ? 2 * text.length : 0;
    if (text.length > maxCellLength) throw openQuote(placeOf(line));
    yield records;
  }
  const { records, linesRead, isOpen } = parseBlock(text, { dialect, line, placeOf });
  if (isOpen) throw openQuote(placeOf(line + linesRead));
  yield records;
}

/** The records of a block of whole lines; `isOpen` if the last one continues after the block. */
function parseBlock(
  text: string,
  { dialect, line, placeOf }: Pick<ReadingOptions, 'dialect' | 'placeOf'> & { line: number },
): { records: DelimitedRecord[]; linesRead: number; isOpen: boolean } {
  const records: DelimitedRecord[] = [];
  let linesRead = 0;
  const add = (record: string[]): null => {
    // A record of one empty cell is a blank line.
    if (record.length > 1 || record[0] !== '') records.push({ position: line + linesRead, record });
    linesRead += 1 + lineEndsIn(record);
    return null;
  };
  try {
    parse(text, { ...optionsOf(dialect), on_record: add });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'CSV_QUOTE_NOT_CLOSED') return { records, linesRead, isOpen: true };
    if (code?.startsWith('CSV_') !== true) throw error;
    throw new DataError(`${placeOf(line + linesRead)}: the row can't be read: ${message}`, { cause: error });
  }
  return { records, linesRead, isOpen: false };
}

const lineEnd = /\r\n|\n|\r/g;

const lineEndsIn = (record: readonly string[]): number =>
  record.reduce((count, cell) => count + (cell.match(lineEnd)?.length ?? 0), 0);

function afterLines(text: string, count: number): string {
  lineEnd.lastIndex = 0;
  for (let line = 0; line < count; line++) lineEnd.exec(text);
  return text.slice(lineEnd.lastIndex);
}

const openQuote = (place: string): DataError =>
  new DataError(`${place}: the quotation mark at the start of a cell is not closed`, {
    hint: 'close it at the end of the cell, and double quotation marks inside; or write the table as JSON Lines or Parquet',
  });

function tooManyCells(place: string, record: readonly string[], { columns, delimiter }: Dialect): DataError {
  const separator = delimiter === '\t' ? 'tab' : (delimiterNames[delimiter] ?? '').replace(/s$/, '');
  return new DataError(`${place}: the row has ${record.length} cells, and the first row has ${columns.length}`, {
    hint: `enclose a text with a ${separator} inside in quotation marks, as programs that write tables do`,
  });
}
