import { faultOf, labelIn, textIn } from './cell-text.js';
import type { Table } from './table.js';

/** What the first rows of a column contain. */
export interface ColumnProfile {
  name: string;

  /** Number of rows that were looked at. */
  rows: number;

  /** Number of them that have a value. */
  values: number;

  /** Number of different values. */
  distinct: number;

  /** Whether most values are texts of several words, hardly any of which recurs. */
  isTextual: boolean;

  /** Whether the values recur, and are short. */
  isLabelLike: boolean;

  /** What a value is that is no text, number or truth value, if there is one. */
  fault: ReturnType<typeof faultOf>;

  /** Whether all values are numbers and most are not whole. */
  isMeasure: boolean;

  /** Whether all values are dates, such as 2025-01-31, 31.1.2025 or 1/31/25, with or without a time. */
  areDates: boolean;

  /** The first different values. */
  examples: string[];
}

const sampledRows = 1000;
const shownExamples = 3;
const longestLabel = 60;

/** Reads the first rows of a table, and describes its columns. */
export async function profileColumns(table: Table): Promise<ColumnProfile[]> {
  const columns = table.columns.map((name) => ({ name, texts: [] as string[], fault: faultOf(undefined) }));
  let rows = 0;
  reading: for await (const batch of table.rows(table.columns)) {
    for (const { values } of batch) {
      rows++;
      for (const [index, column] of columns.entries()) {
        const value = values[index];
        const text = textIn(value);
        if (text !== undefined) column.texts.push(text);
        column.fault ??= faultOf(value);
      }
      if (rows >= sampledRows) break reading;
    }
  }
  return columns.map((column) => profileOf({ ...column, rows }));
}

function profileOf({
  name,
  texts,
  fault,
  rows,
}: {
  name: string;
  texts: string[];
  fault: ColumnProfile['fault'];
  rows: number;
}): ColumnProfile {
  const distinct = new Set(texts);
  const share = (is: (text: string) => boolean): number => texts.filter(is).length / Math.max(1, texts.length);
  const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));
  const numbers = share(isNumber);
  const areDates = texts.length > 0 && texts.every(isDate);
  return {
    name,
    rows,
    values: texts.length,
    distinct: distinct.size,
    fault,
    isTextual: numbers < 0.5 && distinct.size > texts.length / 2 && share(hasSeveralWords) > 0.5 && !areDates,
    isLabelLike:
      texts.length > 0 &&
      !areDates &&
      distinct.size <= Math.max(2, texts.length / 2) &&
      texts.every((text) => text.length <= longestLabel),
    isMeasure: numbers === 1 && distinct.size > 2 && share((text) => !isWholeNumber(labelIn(text) ?? '')) > 0.5,
    areDates,
    examples: [...distinct].slice(0, shownExamples),
  };
}

const isWholeNumber = (label: string): boolean => /^[-+]?\d+$/.test(label);

/** Words are separated by spaces, or there are several ideographs, kana or syllables. */
const hasSeveralWords = (text: string): boolean =>
  text.includes(' ') ||
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]{4}/u.test(text);

const isDate = (text: string): boolean =>
  /^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))(?:[T ]\d{1,2}:\d{2}\S*.*)?$/.test(
    text.trim(),
  );

/** Whether too many values of a column differ for labels. */
export const hasHardlyLabels = ({ values, distinct }: ColumnProfile): boolean => values > 20 && distinct > values / 2;

/** Why a column is hardly one of labels or of texts, as the end of a sentence; undefined if nothing speaks against it. */
export function columnDoubt(profile: ColumnProfile, role: 'text' | 'textPair' | 'label'): string | undefined {
  const { values, distinct, fault, isTextual, isMeasure, areDates } = profile;
  if (values === 0) return 'is empty';
  if (fault !== undefined) return `has ${fault}`;
  if (areDates) return 'has dates';
  if (role !== 'label') return isTextual ? undefined : 'has hardly any texts of several words';
  if (isMeasure) return 'has numbers with fractions, which are measures, not classes';
  if (distinct === 1) return 'has the same value in all rows, and a classifier needs two classes';
  return hasHardlyLabels(profile)
    ? `has ${distinct} different values in ${values} rows, so they are hardly labels`
    : undefined;
}
