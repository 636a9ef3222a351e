import { writeFileAtomic } from '@nautil/store';
import { delimitedRecord, formatOfFile } from './predict/output-lines.js';

/** An example for which a model prefers another class than its label. */
export interface JudgedExample {
  /** `test.csv:7`. */
  place: string;
  text: string;

  /** The second text of a pair. */
  textPair?: string | undefined;
  label: string;
  other: string;

  /** Probabilities of the label and of the other class. */
  labelScore: number;
  otherScore: number;
}

/** A file that lists examples. */
export interface ExampleList {
  write: (examples: readonly JudgedExample[]) => Promise<void>;
}

/**
 * A list of examples as a table: CSV, TSV or JSON Lines, by the extension of its name.
 *
 * @param o.other - the name of the column of the class that the model prefers
 * @throws UsageError for a name with another extension
 */
export function exampleList(path: string, o: { other: string }): ExampleList {
  const format = formatOfFile(path, { content: 'the list of examples is' });
  return {
    write: async (examples) => {
      const rows = examples.map((example) => recordOf(example, o.other));
      const lines =
        format === 'jsonl'
          ? rows.map((row) => JSON.stringify(row))
          : delimited(rows, o.other, format === 'csv' ? ',' : '\t');
      await writeFileAtomic(path, lines.map((line) => `${line}\n`).join(''));
    },
  };
}

const recordOf = (
  { place, label, other, labelScore, otherScore, text, textPair }: JudgedExample,
  otherName: string,
) => ({
  place,
  label,
  label_score: rounded(labelScore),
  [otherName]: other,
  score: rounded(otherScore),
  text,
  ...(textPair === undefined ? {} : { text_pair: textPair }),
});

/** A table without examples has its header, too. */
function delimited(rows: readonly ReturnType<typeof recordOf>[], other: string, delimiter: ',' | '\t'): string[] {
  const columns = Object.keys(rows[0] ?? { place: '', label: '', label_score: 0, [other]: '', score: 0, text: '' });
  return [columns, ...rows.map((row) => Object.values(row))].map((cells) => delimitedRecord(cells, delimiter));
}

/** Six digits, as `predict` writes scores. */
const rounded = (score: number): number => Math.round(score * 1e6) / 1e6;
