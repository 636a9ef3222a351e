import { counted, UsageError } from '@nautil/contracts';
import { DataError, pairOf, readExamples, readLines, type TextSource } from '@nautil/datasets';
import { chooseColumns, openTable, type Table, textIn } from '@nautil/datasets/tables';
import type { ClassifierInput } from '@nautil/training';
import { printMessage } from '../output.js';
import { SkippedLines } from '../skipped-lines.js';

/** A text, or pair of texts, to classify. */
export interface InputRow {
  input: ClassifierInput;

  /** What the output repeats: the values of all columns, or the text of a line. */
  values: readonly unknown[];

  /** The label as the file has it; undefined without one. */
  label: unknown;
}

/** The input of `predict`. */
export interface InputRows {
  /** text: lines; labelled: NeMo's format; otherwise the format of the table. */
  format: 'text' | 'labelled' | Table['format'];

  /** The names of the columns that `values` has. */
  columns: readonly string[];

  /** The column of the labels, or "the last column"; undefined if the input has none. */
  labels: string | undefined;

  /** Whether the user named the labels' column. */
  areLabelsNamed: boolean;
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

const keys = { text: '--text-column', textPair: '--text-pair-column', label: '--label-column' };

/** Files that are tables by their names. */
const tableName = /\.(?:csv|tsv|jsonl|ndjson|json|parquet)(?:\.gz)?$/i;

/**
 * Opens the input: a table if its name or an option says so, else lines.
 *
 * @param o.pairs - whether the model classifies pairs of texts
 * @throws DataError for a table without the columns; UsageError for columns of standard input
 */
export async function openInput(options: InputOptions, o: { pairs: boolean }): Promise<InputRows> {
  const { input, inputFormat, textColumn, textPairColumn, labelColumn } = options;
  const isNamed = [textColumn, textPairColumn, labelColumn].some((name) => name !== undefined);
  const wantsTable = inputFormat === 'table' || isNamed || (inputFormat === 'auto' && tableName.test(input));
  if (input === '-' && (inputFormat === 'table' || isNamed))
    throw new UsageError('a table is not read from standard input', { hint: 'write it to a file, and name the file' });
  if (isNamed && (inputFormat === 'text' || inputFormat === 'tsv'))
    throw new UsageError(`--input-format ${inputFormat} has no columns that could be named`, {
      hint: 'leave --input-format out, or set it to table',
    });
  if (wantsTable && input !== '-') {
    const table = await openTable(input);
    if (table !== undefined && table.format !== "NeMo's TSV") return tableRows(table, options, o);
    if (inputFormat === 'table' || isNamed)
      throw new DataError(`${input}: no columns are found in it`, {
        hint: 'use --input-format text for one text on each line, or tsv for a text, a tab, and a label',
      });
    if (table !== undefined) return labelledLines(input, o);
  }
  const source = input === '-' ? { name: 'standard input', bytes: process.stdin } : input;
  return inputFormat === 'tsv' ? labelledLines(source, o) : textLines(source, o);
}

/** The end of a line of NeMo's labelled files. */
const endsInLabel = /\t-?\d+\s*$/;

const nameOf = (source: TextSource): string => (typeof source === 'string' ? source : source.name);

function textLines(source: TextSource, { pairs }: { pairs: boolean }): InputRows {
  const rows = async function* (): AsyncGenerator<InputRow> {
    // A tab, a lone \r, U+2028 and U+0085 belong to a text.
    let line = 0;
    for await (const lines of readLines(source, { lineEnds: 'newline' })) {
      if (
        line === 0 &&
        lines.some((text) => text !== '') &&
        lines.every((text) => text === '' || endsInLabel.test(text))
      )
        printMessage(
          'note: every line ends in a tab and a number, which become part of the text; with --input-format tsv they are a label',
        );
      for (const text of lines) {
        line++;
        yield { input: pairs ? pairIn(text, `${nameOf(source)}:${line}`) : text, values: [text], label: undefined };
      }
    }
  };
  return { format: 'text', columns: ['text'], labels: undefined, areLabelsNamed: false, rows: rows() };
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

function labelledLines(source: TextSource, { pairs }: { pairs: boolean }): InputRows {
  const rows = async function* (): AsyncGenerator<InputRow> {
    const skipped = new SkippedLines(nameOf(source), printMessage);
    try {
      for await (const item of readExamples(source, { pairs })) {
        if ('reason' in item) {
          skipped.add(item);
          continue;
        }
        const { text, textPair, label } = item;
        if (textPair === undefined) yield { input: text, values: [text], label };
        else yield { input: [text, textPair], values: [`${text}\t${textPair}`], label };
      }
    } finally {
      skipped.end();
    }
  };
  return { format: 'labelled', columns: ['text'], labels: 'its last column', areLabelsNamed: true, rows: rows() };
}

async function tableRows(
  table: Table,
  { textColumn, textPairColumn, labelColumn }: InputOptions,
  { pairs }: { pairs: boolean },
): Promise<InputRows> {
  const named = { text: textColumn, textPair: textPairColumn, label: labelColumn };
  const choice = await chooseColumns(table, named, { keys, needsLabel: false });
  const { text, textPair, label } = choice;
  if (pairs && textPair === undefined)
    throw new DataError(
      `${table.path}: the model classifies pairs of texts, and only ${JSON.stringify(text)} is a column of texts`,
      {
        hint: 'name the second column with --text-pair-column',
      },
    );
  if (!pairs && textPair !== undefined)
    throw new DataError(
      `${table.path}: the model classifies single texts, and ${JSON.stringify(text)} and ${JSON.stringify(textPair)} look like pairs`,
      { hint: 'name the column of the texts with --text-column' },
    );
  const chosen =
    textPair === undefined ? JSON.stringify(text) : `${JSON.stringify(text)} and ${JSON.stringify(textPair)}`;
  printMessage(`${[table.format, ...table.details].join(', ')}: the texts are in ${chosen} (${choice.how})`);
  const [textAt, pairAt, labelAt] = [text, textPair, label].map((name) =>
    name === undefined ? -1 : table.columns.indexOf(name),
  ) as [number, number, number];
  const rows = async function* (): AsyncGenerator<InputRow> {
    for await (const batch of table.rows(table.columns)) {
      for (const { values } of batch) {
        // As in training; a row without a text has a prediction, too.
        const first = textIn(values[textAt]) ?? '';
        const input: ClassifierInput = pairs ? [first, textIn(values[pairAt]) ?? ''] : first;
        yield { input, values, label: labelAt < 0 ? undefined : values[labelAt] };
      }
    }
  };
  return {
    format: table.format,
    columns: table.columns,
    labels: label === undefined ? undefined : `column ${JSON.stringify(label)}`,
    areLabelsNamed: labelColumn !== undefined,
    rows: rows(),
  };
}
