import { type Options, parse, type Parser } from 'csv-parse';
import { parse as parseSync } from 'csv-parse/sync';
import { DataError } from '../data-error.js';
import { readLines } from '../read-lines.js';
import { isUsualName } from './column-names.js';
import { inBatches, type Table, type TableFormat, type TableRow } from './table.js';
import { tableBytes } from './table-bytes.js';

/** How the cells of a text are separated. */
export interface Dialect {
  delimiter: string;

  /** Whether quotation marks enclose cells; otherwise they are ordinary characters. */
  quotes: boolean;

  hasHeader: boolean;

  /** The names of the columns, or their numbers without a header. */
  columns: string[];
}

/** Longer cells mean that a quotation mark is not closed. */
const maxCellLength = 1 << 24;

/** Share of the sampled records that must have the columns of the first. */
const consistentShare = 0.8;
const longestName = 40;

const delimiters = ['\t', ',', ';', '|'];
const delimiterNames: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '|': 'vertical bars' };

/**
 * The dialect of a text with at least two columns, from its first lines; undefined if no delimiter divides most of them alike.
 *
 * @param sample - complete records, but for the last if `isCut`
 */
export function dialectOf(sample: string, isCut: boolean): Dialect | undefined {
  let best: { dialect: Dialect; share: number } | undefined;
  for (const delimiter of delimiters) {
    for (const quotes of [true, false]) {
      const records = recordsOf(sample, { delimiter, quotes, isCut });
      const width = records[0]?.length ?? 0;
      if (width < 2) continue;
      const share = records.filter((record) => record.length === width).length / records.length;
      if (share < consistentShare || share <= (best?.share ?? 0)) continue;
      best = { share, dialect: { delimiter, quotes, ...headerOf(records) } };
    }
  }
  return best?.dialect;
}

/** The dialect of a text that its extension calls a table, though it has one column. */
export function oneColumnDialect(sample: string, isCut: boolean, delimiter: string): Dialect | undefined {
  const records = recordsOf(sample, { delimiter, quotes: true, isCut });
  return records.length < 2 ? undefined : { delimiter, quotes: true, ...headerOf(records) };
}

function recordsOf(sample: string, o: { delimiter: string; quotes: boolean; isCut: boolean }): string[][] {
  const complete = o.isCut ? sample.slice(0, sample.lastIndexOf('\n') + 1) : sample;
  const records: string[][] = [];
  try {
    // `on_record` collects what precedes a faulty record, so that the end of the sample may be inside one.
    parseSync(complete, {
      ...optionsOf(o),
      on_record: (record: string[]) => {
        records.push(record);
        return null;
      },
    });
  } catch {
    if (!o.isCut) return [];
  }
  return records;
}

const optionsOf = ({ delimiter, quotes }: Pick<Dialect, 'delimiter' | 'quotes'>): Options => ({
  delimiter,
  quote: quotes ? '"' : null,
  // A quotation mark inside an unquoted cell is an ordinary character.
  relax_quotes: true,
  relax_column_count: true,
  skip_empty_lines: true,
  max_record_size: maxCellLength,
});

/** Whether the first record names the columns. Labels of a text column recur, and names do not. */
function headerOf(records: readonly string[][]): Pick<Dialect, 'hasHeader' | 'columns'> {
  const [first = [], ...others] = records;
  const names = first.map((cell) => cell.trim());
  const areNames =
    new Set(names).size === names.length &&
    names.every((name) => name.length <= longestName && !/^[-+]?\d*[.,]?\d+$/.test(name));
  const isHeader =
    areNames &&
    (names.some(isUsualName)
      ? !names.some((name) => isUsualLabelValue(name))
      : !names.some((name, column) => recurs(name, column, others)) && looksLikeNames(names));
  // Programs that write an index give it no name.
  return isHeader
    ? { hasHeader: true, columns: names.map((name, index) => (name === '' ? `column ${index + 1}` : name)) }
    : { hasHeader: false, columns: names.map((_, index) => String(index + 1)) };
}

const recurs = (value: string, column: number, records: readonly string[][]): boolean =>
  records.some((record) => record[column]?.trim() === value);

/** Values that are labels and never the names of columns. */
const isUsualLabelValue = (name: string): boolean =>
  /^(?:positive|negative|neutral|pos|neg|true|false|yes|no|spam|ham)$/i.test(name);

/** Names have few words, and no punctuation of sentences. */
const looksLikeNames = (names: readonly string[]): boolean =>
  names.every((name) => name.split(/\s+/).length <= 3 && !/[.!?,;]/.test(name) && !isUsualLabelValue(name));

/** A text whose cells are separated by a delimiter. */
export function delimitedTable(path: string, dialect: Dialect, isGzip: boolean): Table {
  const { delimiter, hasHeader, columns } = dialect;
  const format: TableFormat = delimiter === '\t' ? 'TSV' : 'CSV';
  const placeOf = (position: number): string => `${path}:${position}`;
  return {
    path,
    format,
    details: [
      ...(delimiter === '\t' ? [] : [`separated by ${delimiterNames[delimiter]}`]),
      ...(hasHeader ? [] : ['no header']),
      ...(isGzip ? ['packed by gzip'] : []),
    ],
    columns,
    classNames: new Map(),
    placeOf,
    rows: (selected) => inBatches(recordsIn(path, { dialect, isGzip, selected, placeOf })),
  };
}

interface ReadingOptions {
  dialect: Dialect;
  isGzip: boolean;
  selected: readonly string[];
  placeOf: (position: number) => string;
}

async function* recordsIn(path: string, o: ReadingOptions): AsyncGenerator<TableRow> {
  const { dialect, placeOf } = o;
  const { columns, hasHeader } = dialect;
  const indexes = o.selected.map((name) => columns.indexOf(name));
  const parser = parse({ ...optionsOf(dialect), info: true });
  const fed = feed(parser, path, o.isGzip);
  let isFirst = hasHeader;
  let lastLine = 0;
  try {
    for await (const item of parser) {
      const { record, info } = item as { record: string[]; info: { lines: number } };
      const position = info.lines - lineEndsIn(record);
      lastLine = info.lines;
      if (isFirst) {
        isFirst = false;
        continue;
      }
      if (record.length > columns.length && record.slice(columns.length).some((cell) => cell !== ''))
        throw tooManyCells(placeOf(position), record, dialect);
      yield { position, values: indexes.map((index) => record[index]) };
    }
    await fed;
  } catch (error) {
    if (error instanceof DataError) throw error;
    const { code, message } = error as { code?: string; message: string };
    if (code?.startsWith('CSV_') !== true) throw error;
    throw new DataError(`${placeOf(lastLine + 1)}: the row can't be read: ${message}`, {
      hint: 'check that each quotation mark at the start of a cell is closed at its end, and that marks inside are doubled',
      cause: error,
    });
  } finally {
    parser.destroy();
  }
}

/** Writes the lines of a file to the parser; an error destroys the parser with it. */
async function feed(parser: Parser, path: string, isGzip: boolean): Promise<void> {
  try {
    for await (const lines of readLines({ name: path, bytes: tableBytes(path, isGzip) })) {
      if (parser.destroyed) return;
      if (!parser.write(`${lines.join('\n')}\n`)) await drained(parser);
    }
    parser.end();
  } catch (error) {
    parser.destroy(error as Error);
  }
}

function drained(parser: Parser): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      parser.off('drain', done).off('close', done);
      resolve();
    };
    parser.on('drain', done).on('close', done);
  });
}

const lineEndsIn = (record: readonly string[]): number =>
  record.reduce((count, cell) => (cell.includes('\n') ? count + cell.split('\n').length - 1 : count), 0);

function tooManyCells(place: string, record: readonly string[], { columns, delimiter }: Dialect): DataError {
  const separator = delimiter === '\t' ? 'tab' : (delimiterNames[delimiter] ?? '').replace(/s$/, '');
  return new DataError(`${place}: the row has ${record.length} cells, and the first row has ${columns.length}`, {
    hint: `enclose a text with a ${separator} inside in quotation marks, as programs that write tables do`,
  });
}
