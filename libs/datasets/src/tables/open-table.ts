import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import type { JsonObject } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { FormatVotes, refuseBinary, refuseNulBytes, refuseZippedDocument } from '../name-format.js';
import { isSkipped, mayBeHeader, parseLine } from '../read-examples.js';
import { bytesOf, readLines } from '../read-lines.js';
import { isUsualName, nameRank } from './column-names.js';
import { namesLabelLast, namesTextAndLabel, nemoTable } from './nemo-table.js';
import { isCsvWritersTsv, quotesCells, startsQuotedCell } from './quoted-cells.js';
import { classFoldersTable } from './read-class-folders.js';
import { delimitedTable, delimiters, type Dialect, dialectOf, formatOf, oneColumnDialect } from './read-delimited.js';
import { arrayRows, columnRows, type JsonLayout, jsonTable, readObject } from './read-json.js';
import { columnsIn, jsonLinesTable, parsedObject } from './read-json-lines.js';
import { parquetTable } from './read-parquet.js';
import type { Table, TableFormat } from './table.js';
import { endsAsParquet, type FileStart, startOf, tableText } from './table-bytes.js';

/** Rows whose keys are the columns of a JSON file. */
const sampledRows = 1000;

/** Characters of the lines from which it is seen whether quotation marks enclose cells. */
const markedLength = 1 << 16;

/**
 * Opens a table. Its format is recognised by its content first, and by its extension second.
 *
 * @param o.pairs - whether the lines of NeMo's TSV have two texts
 * @param o.asTable - whether the user calls the file a table, or names a column: it is then one if it has a header
 * @param o.needsTabs - whether lines of which none has a tab are texts that may end in numbers, and not NeMo's
 * @returns undefined for a text in which no columns are found; what reads NeMo's format then states what is wrong with it
 * @throws DataError for a file that does not exist, or whose content has another format
 */
export async function openTable(
  path: string,
  { asTable = false, needsTabs = false, ...o }: { pairs?: boolean; asTable?: boolean; needsTabs?: boolean } = {},
): Promise<Table | undefined> {
  if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return classFoldersTable(path);
  const start = await startOf(path);
  const { bytes, isGzip } = start;
  if (bytes.toString('latin1', 0, 4) === 'PAR1' && (isGzip || (await endsAsParquet(path))))
    return parquetTable(path, isGzip);
  refuseCutParquet(path, bytes);
  refuseBinary(path, bytes, path);
  const sample = await sampleOf(path, start);
  const marked = await markedSample(path, sample, isGzip);
  // What may also be NeMo's is read as a table only if the user says so: see isNemoFile.
  const isNemo = isNemoSample(sample);
  if (isNemo && !quotesAllTexts(sample) && !isCsvWritersTsv(textOf(marked), marked.isCut)) {
    const areTexts = needsTabs && !hasTabs(sample);
    if (areTexts && !asTable) return undefined;
    if (!areTexts && !(asTable && headerIn(sample) !== undefined))
      return nemoTable(path, { isGzip, hasHeader: namesTextAndLabel(sample.lines[0] ?? ''), ...o });
  }
  return (await jsonTableIn(path, sample, isGzip)) ?? delimitedIn(path, sample, marked, { isGzip, asTable });
}

/** @throws DataError for a file that starts as Parquet does, and ends otherwise */
function refuseCutParquet(path: string, start: Buffer): void {
  // A protein is called PAR1, so the byte with which a page starts is needed, too.
  if (start.toString('latin1', 0, 5) !== 'PAR1\x15') return;
  throw new DataError(`${path} starts as a Parquet file, and lacks its end`, {
    hint: 'the file is cut off: copy or download it again',
  });
}

/** Whether a file has NeMo's format, and is read as NeMo reads it. */
export async function isNemoFile(path: string): Promise<boolean> {
  const start = await startOf(path);
  if (start.isGzip || start.bytes.toString('latin1', 0, 4) === 'PAR1') return false;
  const sample = await sampleOf(path, start);
  if (!isNemoSample(sample)) return false;
  const marked = await markedSample(path, sample, start.isGzip);
  return !isCsvWritersTsv(textOf(marked), marked.isCut);
}

interface Sample {
  /** The lines of the start of the file, without the last one if it may be incomplete. */
  lines: string[];

  /** Whether the file has more lines. */
  isCut: boolean;
}

/** @throws DataError for the start of a file that is not text in UTF-8 */
async function sampleOf(path: string, { bytes, isCut, isGzip }: FileStart): Promise<Sample> {
  const end = isCut ? bytes.lastIndexOf(0x0a) + 1 : bytes.length;
  const complete = end > 0 ? bytes.subarray(0, end) : bytes;
  const lines: string[] = [];
  // Only the pass over the whole file reports a line that is not UTF-8, since it has a better remedy for it.
  const source = { name: path, bytes: Readable.from([complete]), ...(isGzip ? {} : { file: path }) };
  for await (const some of readLines(source, { onInvalid: () => undefined })) for (const line of some) lines.push(line);
  refuseNulBytes(path, bytes, path);
  return { lines, isCut };
}

const textOf = ({ lines }: Sample): string => lines.map((line) => `${line}\n`).join('');

const hasTabs = ({ lines }: Sample): boolean => lines.some((line) => line.includes('\t'));

/**
 * Lines of a TSV from which it is seen whether quotation marks enclose its cells: the start of the file, or, if no cell there starts
 * with a mark, as much from the first line in which one does.
 */
async function markedSample(path: string, sample: Sample, isGzip: boolean): Promise<Sample> {
  if (!sample.isCut || !hasTabs(sample) || sample.lines.some(startsQuotedCell)) return sample;
  const lines: string[] = [];
  let length = 0;
  for await (const batch of readLines(tableText(path, isGzip), { onInvalid: () => undefined })) {
    for (const line of batch) {
      if (length === 0 && !startsQuotedCell(line)) continue;
      lines.push(line);
      length += line.length + 1;
      if (length >= markedLength) return { lines, isCut: true };
    }
  }
  return { lines, isCut: false };
}

/** Whether all texts, which may be NeMo's, are in quotation marks. */
function quotesAllTexts(sample: Sample): boolean {
  const rows = sample.lines.slice(mayBeHeader(sample.lines[0] ?? '') ? 1 : 0).filter((line) => line.trim() !== '');
  return rows.every((line) => line.startsWith('"')) && quotesCells(textOf(sample), sample.isCut);
}

/** Whether most lines end in a label as NeMo reads it, and the first does not name other columns. */
function isNemoSample(sample: Sample): boolean {
  const { lines } = sample;
  const votes = new FormatVotes();
  let read = 0;
  let examples = 0;
  for (const [index, content] of lines.entries()) {
    if (content.trim() === '') continue;
    votes.add(content);
    read++;
    if (!isSkipped(parseLine(content, index + 1))) examples++;
  }
  return 2 * examples >= read && examples > 0 && votes.winner() === undefined && !namesOtherColumns(sample);
}

/** Whether the first line is a header, and not that of a text and its label alone in a TSV, which NeMo skips. */
function namesOtherColumns(sample: Sample): boolean {
  const [first = ''] = sample.lines;
  if (namesTextsAndLabels(first) || namesOneColumn(sample)) return true;
  const header = headerIn(sample);
  if (header === undefined || namesLabelLast(first)) return false;
  // Two columns are NeMo's, too, so that only names tell.
  return header.columns.length > 2 || header.isHeaderByContent !== true;
}

/** The dialect of lines of which the first names the columns, and has no label. */
function headerIn(sample: Sample): Dialect | undefined {
  const [first = ''] = sample.lines;
  if (!isSkipped(parseLine(first, 1)) || /\t\s*$/.test(first)) return undefined;
  const dialect = dialectOf(textOf(sample), sample.isCut);
  return dialect?.hasHeader === true && (dialect.delimiter === '\t') === hasTabs(sample) ? dialect : undefined;
}

/** Whether the first line is the usual name of a column, and no line has a tab: the texts of the only column may end in numbers. */
const namesOneColumn = (sample: Sample): boolean => isUsualName(sample.lines[0] ?? '') && !hasTabs(sample);

/** Whether a line has names of a text and of a label, in another order than NeMo's or beside others. */
function namesTextsAndLabels(line: string): boolean {
  const isTsv = line.includes('\t');
  if (!isTsv && !isSkipped(parseLine(line, 1))) return false;
  return (isTsv ? ['\t'] : delimiters).some((delimiter) => {
    const names = line.split(delimiter);
    const isText = names.map((name) => nameRank(name, 'text') > 0);
    const isLabel = names.map((name) => nameRank(name, 'label') > 0);
    if (!isText.includes(true) || !isLabel.includes(true) || names.some(isLong)) return false;
    return !isTsv || names.length > 2 || isLabel[0] === true;
  });
}

const isLong = (name: string): boolean => name.trim().split(/\s+/).length > 3;

/**
 * The format of a table that lines look like, by the rules of `openTable`; undefined for NeMo's format, and for lines of which none
 * shows a second column.
 *
 * @param lines - the first lines of a text
 */
export function tableFormatIn(lines: string[]): TableFormat | undefined {
  const sample: Sample = { lines, isCut: true };
  if (isNemoSample(sample)) return undefined;
  const json = jsonLayoutOf({ lines, isCut: false });
  // openTable reports what is wrong with braces that are not JSON; they may be part of a text here.
  if (json === 'object' && !/^\s*\{\s*(?:"|$)/.test(lines[0] ?? '')) return undefined;
  if (json !== undefined) return json === 'lines' ? 'JSON Lines' : 'JSON';
  const dialect = lines.length > 1 ? dialectOf(textOf(sample), true) : undefined;
  return dialect && formatOf(dialect);
}

/** How a text in JSON has its rows; undefined for another text. */
function jsonLayoutOf({ lines, isCut }: Sample): 'lines' | 'object' | 'array' | undefined {
  const content = lines.filter((line) => line.trim() !== '');
  const first = content[0]?.trim() ?? '';
  if (first.startsWith('{')) {
    const object = parsed(first);
    const isRow = object !== undefined && Object.entries(object).some(isCell);
    const isOneLine = content.length === 1 && !isCut;
    const areLines = object === undefined ? content[1]?.trim().startsWith('{') === true : isRow || !isOneLine;
    return areLines ? 'lines' : 'object';
  }
  return /^\[\s*(?:\{|$)/.test(first) ? 'array' : undefined;
}

async function jsonTableIn(path: string, sample: Sample, isGzip: boolean): Promise<Table | undefined> {
  const { lines } = sample;
  switch (jsonLayoutOf(sample)) {
    case 'lines': {
      const rows = lines
        .flatMap((line, at) => (line.trim() === '' ? [] : [parsedObject(line, `${path}:${at + 1}`)]))
        .slice(0, sampledRows);
      return jsonLinesTable(path, columnsIn(rows), isGzip);
    }
    case 'object':
      return objectTable(path, lines.join('\n'), isGzip);
    case 'array':
      return arrayTable(path, { kind: 'array' }, isGzip);
    case undefined:
      return undefined;
  }
}

/** Keys of an object that has its rows under another key. */
const aboutRows = ['version', 'name', 'description', 'info'];

/** Whether a member of an object shows that the object is a row. */
const isCell = ([key, value]: [string, unknown]): boolean => typeof value !== 'object' && !aboutRows.includes(key);

const rowsUnder = new RegExp(
  String.raw`^\s*\{\s*(?:"(?:${aboutRows.join('|')})"\s*:\s*"[^"]*"\s*,\s*)*"([^"\\]+)"\s*:\s*\[\s*\{`,
);

function parsed(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}

/** A JSON object has the rows under one of its keys (`{"data": [{…}, …]}`), or is an object of columns. */
async function objectTable(path: string, start: string, isGzip: boolean): Promise<Table> {
  const under = rowsUnder.exec(start)?.[1];
  if (under !== undefined) return arrayTable(path, { kind: 'array', under }, isGzip);
  const object = await readObject(path, isGzip);
  if (Object.values(object).some((values) => typeof values !== 'object' || values === null)) {
    throw new DataError(`${path} is one JSON object, and not all of its values are columns`, {
      hint: 'write an array of objects, [{"text": "…", "label": "…"}, …], or one object on each line',
    });
  }
  for await (const rows of columnRows(path, isGzip)) {
    const [first] = rows;
    if (first) return jsonTable(path, { layout: { kind: 'columns' }, columns: Object.keys(first.row), isGzip });
  }
  return jsonTable(path, { layout: { kind: 'columns' }, columns: Object.keys(object), isGzip });
}

async function arrayTable(path: string, layout: JsonLayout & { kind: 'array' }, isGzip: boolean): Promise<Table> {
  const rows: JsonObject[] = [];
  const placeOf = (position: number): string => `${path}: row ${position}`;
  for await (const batch of arrayRows(path, { under: layout.under, isGzip, placeOf })) {
    for (const { row } of batch) rows.push(row);
    if (rows.length >= sampledRows) break;
  }
  return jsonTable(path, { layout, columns: columnsIn(rows), isGzip });
}

/** NOTE: a text of one column is a table only by its extension or the usual name of the column, since every text is one of lines. */
function delimitedIn(
  path: string,
  sample: Sample,
  marked: Sample,
  { isGzip, asTable }: { isGzip: boolean; asTable: boolean },
): Table | undefined {
  const { isCut } = sample;
  const text = textOf(sample);
  const extension = extname(path.replace(/\.gz$/i, '')).toLowerCase();
  const dialect =
    dialectOf(text, isCut, { text: textOf(marked), isCut: marked.isCut }) ??
    (extension === '.csv'
      ? oneColumnDialect(text, isCut, ',')
      : namesOneColumn(sample) || (asTable && extension === '.tsv')
        ? oneColumnDialect(text, isCut, '\t')
        : undefined);
  return dialect && delimitedTable(path, dialect, isGzip);
}

/** @throws DataError for a document that is a zip archive, such as an Excel workbook */
export async function refuseDocument(path: string): Promise<void> {
  for await (const piece of bytesOf(path)) {
    refuseZippedDocument(path, piece);
    return;
  }
}
