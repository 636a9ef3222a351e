import { stat } from 'node:fs/promises';
import { counted, listed, UsageError } from '@nautil/contracts';
import { DataError, pairOf, readExamples, readLines, type TextSource } from '@nautil/datasets';
import {
  chooseModelColumns,
  findTableSplits,
  idsNote,
  labelIds,
  labelReader,
  openTable,
  requireText,
  type Table,
  tableFormatIn,
  textIn,
  unlabelledRow,
  unpackedText,
} from '@nautil/datasets/tables';
import type { ClassifierInput } from '@nautil/training';
import { chunksOf } from '../chunks.js';
import { columnOptionNames, namedColumns, namesColumns } from '../column-options.js';
import { printMessage } from '../output.js';
import { isRegularFile } from '../regular-file.js';
import { SkippedLines } from '../skipped-lines.js';

/** A text, or pair of texts, to classify. */
export interface InputRow {
  input: ClassifierInput;

  /** What the output repeats: the values of all columns, or the text of a line. */
  values: readonly unknown[];

  /** The label as the file has it; undefined without one. */
  label: string | undefined;
}

/** The input of `predict` and `encode`. */
export interface InputRows {
  /** text: lines; labelled: NeMo's format; otherwise the format of the table. */
  format: 'text' | 'labelled' | Table['format'];

  /** The names of the columns that `values` has. */
  columns: readonly string[];

  /** What separates the cells of a CSV file or a TSV; absent in other formats. */
  delimiter?: string | undefined;

  /** The column of the labels, or "the last column"; undefined if the input has none. */
  labels: string | undefined;

  /** Whether the user named the labels' column. */
  areLabelsNamed: boolean;

  /** Whether labels are ids of classes, as in NeMo's format. */
  areIds: boolean;

  /** Names of the model's classes by id; undefined if they are numbers. */
  names: readonly string[] | undefined;

  /** The model's id of a label; undefined for one that it does not know. */
  idOf: (label: string) => number | undefined;
  rows: AsyncIterable<InputRow>;
}

export interface InputOptions {
  /** Path of a file; `-` is standard input. */
  input: string;
  inputFormat: 'auto' | 'text' | 'tsv' | 'table';
  textColumn?: string;
  textPairColumn?: string;
  labelColumn?: string;
}

/** What reads the rows; a model without classes has no labels. */
export interface InputModel {
  /** Whether it reads pairs of texts. */
  pairs: boolean;

  /** Names of its classes by id; undefined if they are numbers. */
  labels?: readonly string[] | undefined;
  numClasses: number;
}

/** Files that are tables by their names. */
const tableName = /\.(?:csv|tsv|jsonl|ndjson|json|parquet)(?:\.gz)?$/i;

/**
 * Opens the input: a table if its name or an option says so, else lines.
 *
 * @throws DataError for a table without the columns; UsageError for columns of standard input
 */
export async function openInput(options: InputOptions, model: InputModel): Promise<InputRows> {
  const { input, inputFormat } = options;
  const isNamed = namesColumns(options);
  const isFolder = input !== '-' && ((await stat(input).catch(() => undefined))?.isDirectory() ?? false);
  const looksLikeTable = isFolder || tableName.test(input);
  const wantsTable = inputFormat === 'table' || isNamed || (inputFormat === 'auto' && looksLikeTable);
  if (input === '-' && (inputFormat === 'table' || isNamed))
    throw new UsageError('a table is not read from standard input', { hint: 'write it to a file, and name the file' });
  if (isNamed && (inputFormat === 'text' || inputFormat === 'tsv'))
    throw new UsageError(`--input-format ${inputFormat} has no columns that could be named`, {
      hint: 'leave --input-format out, or set it to table',
    });
  if (wantsTable && input !== '-') {
    const asTable = inputFormat === 'table' || isNamed;
    const table = await openTable(isFolder ? await tableIn(input) : input, { asTable, needsTabs: true });
    if (table !== undefined && (isNamed || table.format !== "NeMo's TSV")) return tableRows(table, options, model);
    if (table === undefined && asTable)
      throw new DataError(`${input}: no columns are found in it`, {
        hint: 'use --input-format text for one text on each line, or tsv for a text, a tab, and a label',
      });
    if (table !== undefined) return labelledLines(await unpackedText(input), model, table);
  }
  const source = input === '-' ? { name: 'standard input', bytes: process.stdin } : await unpacked(input);
  return inputFormat === 'tsv' ? labelledLines(source, model) : textLines(source, model, options);
}

/**
 * The table of a folder: the folder itself if it has one of texts for each class, or its only file.
 *
 * @throws DataError for a folder of several tables, which names them
 */
async function tableIn(folder: string): Promise<string> {
  const classes = await openTable(folder);
  for await (const rows of classes?.rows(['label']) ?? []) if (rows.length > 0) return folder;
  const found = await tablesOf(folder);
  const [first] = found;
  if (first === undefined)
    throw new DataError(`${folder} has neither tables nor folders of texts (.txt) for each class`, {
      hint: 'name a file with --input, or a folder that has a folder for each class',
    });
  if (found.length === 1) return first;
  const shown = `${listed(found.slice(0, 10))}${found.length > 10 ? ' …' : ''}`;
  throw new DataError(`${folder} has ${found.length} tables: ${shown}`, { hint: `name one: --input ${first}` });
}

/** @throws DataError for tables of which only one can be named */
async function tablesOf(folder: string): Promise<string[]> {
  try {
    return Object.values((await findTableSplits(folder)) ?? {})
      .flat()
      .sort();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(error.message, { hint: 'name one of them with --input', cause: error });
  }
}

/**
 * The rows in chunks. A chunk of a pipe or a terminal holds what has arrived, so that each result is written promptly. The
 * chunks of a regular file do not depend on timing, so that its results are the same every time. Rows without a text are counted
 * at the end.
 *
 * @param o.batchSize - chunks consist of batches of this size
 * @param o.isTimed - false: waits for full chunks of a pipe, too
 */
export async function* rowChunks(
  { rows }: InputRows,
  { input, batchSize, isTimed = true }: { input: string; batchSize: number; isTimed?: boolean },
): AsyncGenerator<InputRow[]> {
  let withoutText = 0;
  try {
    for await (const chunk of chunksOf(rows, { prompt: isTimed && !isRegularFile(input), multipleOf: batchSize })) {
      for (const row of chunk) if ([row.input].flat().some((text) => text.trim() === '')) withoutText++;
      yield chunk;
    }
    if (withoutText > 0)
      printMessage(
        `note: ${counted(withoutText, 'row')} without a text: the result is that of an empty one (training skips such rows)`,
      );
  } finally {
    // After an error, a pending read would keep the process alive until the writer closes the pipe.
    if (input === '-') process.stdin.destroy();
  }
}

const unpacked = async (path: string): Promise<TextSource> => (isRegularFile(path) ? unpackedText(path) : path);

/** The end of a line of NeMo's labelled files. */
const endsInLabel = /\t-?\d+\s*$/;

const nameOf = (source: TextSource): string => (typeof source === 'string' ? source : source.name);

/** A sentence on lines that look like another format than one text on each; undefined if they do not. */
function otherFormatNote(lines: string[], { input, inputFormat }: InputOptions): string | undefined {
  const [first = '', ...others] = lines.filter((text) => text !== '');
  const isHeader = first.includes('\t') && others.length > 0;
  if ((endsInLabel.test(first) || isHeader) && others.every((text) => endsInLabel.test(text)))
    return 'lines end in a tab and a number, which become part of the text; with --input-format tsv they are a label';
  const format = inputFormat === 'auto' ? tableFormatIn(lines) : undefined;
  if (format === undefined) return undefined;
  const remedy = input === '-' ? 'write it to a file, and name it with --input-format table' : '--input-format table';
  return `the input looks like a table (${format}), and each line is read as a text; to read its columns: ${remedy}`;
}

function textLines(source: TextSource, { pairs }: InputModel, options: InputOptions): InputRows {
  const rows = async function* (): AsyncGenerator<InputRow> {
    // A tab, a lone \r, U+2028 and U+0085 belong to a text.
    let line = 0;
    for await (const lines of readLines(source, { lineEnds: 'newline' })) {
      const note = line === 0 ? otherFormatNote(lines, options) : undefined;
      if (note !== undefined) printMessage(`note: ${note}`);
      for (const text of lines) {
        line++;
        yield { input: pairs ? pairIn(text, `${nameOf(source)}:${line}`) : text, values: [text], label: undefined };
      }
    }
  };
  return {
    format: 'text',
    columns: ['text'],
    labels: undefined,
    areLabelsNamed: false,
    areIds: false,
    names: undefined,
    idOf: () => undefined,
    rows: rows(),
  };
}

function pairIn(text: string, place: string): [string, string] {
  const pair = pairOf(text);
  if (pair) return pair;
  throw new DataError(
    `${place}: the line has ${counted(text.split('\t').length - 1, 'tab')}, and the model classifies pairs`,
    {
      hint: 'write a text, a tab, and a second text on each line; with labels, use --input-format tsv; a table needs two columns of texts',
    },
  );
}

/** @param table - the same file as a table; absent for a stream, whose labels are ids */
function labelledLines(source: TextSource, model: InputModel, table?: Table): InputRows {
  const { pairs, labels, numClasses } = model;
  const areIds = table?.labelsAreIds ?? true;
  const note = areIds ? idsNote(nameOf(source), labels) : undefined;
  if (note !== undefined) printMessage(`note: ${note}`);
  const rows = async function* (): AsyncGenerator<InputRow> {
    const skipped = new SkippedLines(nameOf(source), printMessage);
    try {
      for await (const item of readExamples(source, { pairs })) {
        // A line that NeMo skips for its label has a prediction, too.
        const row = 'reason' in item ? unlabelledRow(item, { pairs }) : item;
        if (row === undefined) {
          if ('reason' in item) skipped.add(item);
          continue;
        }
        const { text, textPair } = row;
        const label = row.label === undefined ? undefined : String(row.label);
        if (textPair === undefined) yield { input: text, values: [text], label };
        else yield { input: [text, textPair], values: [`${text}\t${textPair}`], label };
      }
    } finally {
      skipped.end();
    }
  };
  return {
    format: 'labelled',
    columns: ['text'],
    labels: 'its last column',
    areLabelsNamed: true,
    areIds,
    names: labels,
    idOf: labelIds({ labels, numClasses }, { areIds }),
    rows: rows(),
  };
}

async function tableRows(table: Table, options: InputOptions, model: InputModel): Promise<InputRows> {
  const { pairs } = model;
  const named = { keys: columnOptionNames, needsLabel: false, pairs };
  const choice = await chooseModelColumns(table, namedColumns(options), named);
  const { text, textPair, label } = choice;
  const chosen =
    textPair === undefined ? JSON.stringify(text) : `${JSON.stringify(text)} and ${JSON.stringify(textPair)}`;
  printMessage(`${[table.format, ...table.details].join(', ')}: the texts are in ${chosen} (${choice.how})`);
  const [textAt, pairAt, labelAt] = [text, textPair, label].map((name) =>
    name === undefined ? -1 : table.columns.indexOf(name),
  ) as [number, number, number];
  const labelOf = labelReader(table, label);
  const rows = async function* (): AsyncGenerator<InputRow> {
    for await (const batch of table.rows(table.columns)) {
      for (const { position, values } of batch) {
        for (const [at, column] of [textAt, pairAt].entries())
          requireText(values[column], { column: [text, textPair][at] ?? '', place: () => table.placeOf(position) });
        // As in training; a row without a text has a prediction, too.
        const first = textIn(values[textAt]) ?? '';
        const input: ClassifierInput = pairs ? [first, textIn(values[pairAt]) ?? ''] : first;
        yield { input, values, label: labelAt < 0 ? undefined : labelOf(values[labelAt]) };
      }
    }
  };
  return {
    format: table.format,
    columns: table.columns,
    delimiter: table.delimiter,
    labels: label === undefined ? undefined : `column ${JSON.stringify(label)}`,
    areLabelsNamed: options.labelColumn !== undefined,
    areIds: table.labelsAreIds === true,
    names: model.labels,
    idOf: labelIds(model, { areIds: table.labelsAreIds === true }),
    rows: rows(),
  };
}
