import { UsageError } from '@nautil/contracts';
import type { Prediction } from '@nautil/training';
import type { InputRow, InputRows } from './input-rows.js';
import { cellText, jsonText } from './json-text.js';

export type OutputFormat = 'tsv' | 'csv' | 'jsonl';

export interface LineOptions {
  /** Numbers in place of the names of labels. */
  labelIds: boolean;

  /** Adds the probability of the predicted label. */
  scores: boolean;

  /** Adds the most probable labels with their probabilities; 0: none. */
  top: number;

  /** Names by label id, if the model has any. */
  labels: readonly string[] | undefined;

  /** The precision of the scores, which a record states unless it is float32. */
  precision: 'float32' | 'int8';
}

/** Writes predictions as lines. */
export interface OutputLines {
  /** The names of the columns; undefined in formats without a header. */
  header: string | undefined;
  lineOf: (row: InputRow, prediction: Prediction) => string;
}

/** By the extension of a file. */
const formats: Readonly<Record<string, OutputFormat>> = { csv: 'csv', tsv: 'tsv', jsonl: 'jsonl', ndjson: 'jsonl' };

/** The format that the name of a file states; undefined if it states none that is written. */
const formatIn = (path: string): OutputFormat | undefined => formats[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? ''];

/**
 * The format that the name of a file states, or an option.
 *
 * @param o.content - what the file has, for the message
 * @param o.format - the value of `--format`
 * @throws UsageError for a name with another extension
 */
export function formatOfFile(path: string, o: { content: string; format?: OutputFormat | undefined }): OutputFormat {
  const named = formatIn(path);
  if (o.format !== undefined && named !== undefined && named !== o.format)
    throw new UsageError(`${path} is named for another format than --format ${o.format}`, {
      hint: 'leave --format out, or change the name',
    });
  const format = o.format ?? named;
  if (format !== undefined) return format;
  throw new UsageError(`${path}: ${o.content} a table in CSV, TSV or JSON Lines`, {
    hint: 'give it a name that ends in .csv, .tsv or .jsonl',
  });
}

/** The format that repeats the input's columns: that of the input, or JSON Lines for JSON, Parquet and class folders. */
export function outputFormatOf({ format }: Pick<InputRows, 'format'>): OutputFormat {
  if (format === 'CSV') return 'csv';
  return format === 'text' || format === 'labelled' || format === 'TSV' ? 'tsv' : 'jsonl';
}

/** How predictions are written in a format. @throws UsageError if the input has a column of a name that is added */
export function outputLines(
  input: Pick<InputRows, 'format' | 'columns' | 'delimiter'>,
  format: OutputFormat,
  o: LineOptions,
): OutputLines {
  const isTable = input.format !== 'text' && input.format !== 'labelled';
  if (format === 'jsonl') return jsonLines(input.columns, isTable, o);
  const added = addedColumns(o);
  requireNewColumns(isTable ? input.columns : [], added);
  if (!isTable && format === 'tsv') {
    // NeMo's format, without a header: the text as it is, a tab, and the label.
    return {
      header: undefined,
      lineOf: ({ values }, prediction) => [cellText(values[0]), ...addedValues(prediction, o)].join('\t'),
    };
  }
  const delimiter = format === 'tsv' ? '\t' : ((input.format === 'CSV' ? input.delimiter : undefined) ?? ',');
  const record = (cells: readonly unknown[]): string => delimitedRecord(cells, delimiter);
  return {
    header: record([...input.columns, ...added]),
    lineOf: ({ values }, prediction) =>
      record([...input.columns.map((_, at) => values[at]), ...addedValues(prediction, o)]),
  };
}

const addedColumns = ({ scores, top }: LineOptions): string[] =>
  top > 0
    ? Array.from({ length: top }, (_, rank) =>
        rank === 0 ? ['predicted_label', 'score'] : [`predicted_label_${rank + 1}`, `score_${rank + 1}`],
      ).flat()
    : ['predicted_label', ...(scores ? ['score'] : [])];

const addedValues = (prediction: Prediction, o: LineOptions): string[] => {
  const nameOf = (label: Pick<Prediction, 'labelId' | 'label'>): string =>
    o.labelIds ? String(label.labelId) : label.label;
  if (o.top > 0) return mostProbable(prediction, o).flatMap((label) => [nameOf(label), scoreText(label.score)]);
  return [nameOf(prediction), ...(o.scores ? [scoreText(prediction.scores[prediction.labelId] ?? NaN)] : [])];
};

const scoreText = (score: number): string => score.toFixed(6);

/** The labels with the highest scores, best first; of equal ones, the first. */
const mostProbable = ({ scores }: Prediction, { labels, top }: LineOptions) =>
  [...scores.entries()]
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, top)
    .map(([labelId, score]) => ({ labelId, label: labels?.[labelId] ?? String(labelId), score }));

/** Keys of an object with the input's columns, or of one with the text. */
function jsonLines(columns: readonly string[], isTable: boolean, o: LineOptions): OutputLines {
  const names = isTable ? (['predicted_label_id', 'predicted_label'] as const) : (['label_id', 'label'] as const);
  const added = [...names, 'scores', 'logits', ...(o.top > 0 ? ['top'] : [])];
  requireNewColumns(isTable ? columns : [], added);
  return {
    header: undefined,
    lineOf: ({ values }, prediction) => {
      const { labelId, label, scores, logits } = prediction;
      const kept = columns.flatMap((name, at) =>
        values[at] === undefined ? [] : [`${JSON.stringify(name)}:${jsonText(values[at])},`],
      );
      const others = JSON.stringify({
        [names[0]]: labelId,
        ...(o.labelIds ? {} : { [names[1]]: label }),
        scores,
        logits,
        ...(o.top > 0
          ? { top: mostProbable(prediction, o).map(({ labelId: id, ...rest }) => ({ label_id: id, ...rest })) }
          : {}),
        ...(o.precision === 'float32' ? {} : { precision: o.precision }),
      });
      return `{${kept.join('')}${others.slice(1)}`;
    },
  };
}

function requireNewColumns(columns: readonly string[], added: readonly string[]): void {
  const taken = added.find((name) => columns.includes(name));
  if (taken === undefined) return;
  throw new UsageError(`the input has a column ${JSON.stringify(taken)}, which the output adds`, {
    hint: 'rename or remove the column, for example one of an earlier prediction',
  });
}

/** A row of a delimited table, without its line end. */
export const delimitedRecord = (cells: readonly unknown[], delimiter: string): string =>
  cells.map((cell) => cellOf(cell, delimiter)).join(delimiter);

/** A cell as CSV writers write it: in quotation marks, which are doubled, if it has a delimiter, a mark or a line end. */
function cellOf(value: unknown, delimiter: string): string {
  const text = cellText(value);
  return text.includes(delimiter) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
