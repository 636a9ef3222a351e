import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { examplesOf, readExamples } from '../read-examples.js';
import { type DataSplit, dataSplits, type Examples, type SplitExamples } from './divide-examples.js';
import { labelledRows, type NumberedSplit, type TableSurvey, textsOf } from './survey-tables.js';
import { TextCopies } from './text-copies.js';

/** The examples of surveyed tables: the text, a tab, (the second text, a tab,) and the id of the class. */
export function tableExamples(survey: TableSurvey): Examples {
  const { train, ...others } = survey.splits;
  return {
    train: { ...splitExamples(train), copies: survey.copies },
    ...Object.fromEntries(Object.entries(others).map(([split, found]) => [split, splitExamples(found)])),
  };
}

function splitExamples({ tables, counts, idOf }: NumberedSplit): SplitExamples {
  return {
    counts,
    lines: async function* () {
      for (const chosen of tables) {
        for await (const { row } of labelledRows(chosen)) {
          if (row === undefined) continue;
          const text = textsOf(row);
          yield { label: row.label, text, line: `${text}\t${idOf(row.label) ?? 0}\n` };
        }
      }
    },
  };
}

/** Writes the names of the classes, one on each line, and returns the path. */
export async function writeClassNames(names: readonly string[], folder: string): Promise<string> {
  const path = join(folder, 'label_ids.tsv');
  await writeFile(path, names.map((name) => `${name}\n`).join(''));
  return path;
}

/**
 * The examples of files in NeMo's format, with the labels that they have.
 *
 * @param o.comparesTexts - finds the training texts that occur more than once
 * @throws DataError as `readExamples`
 */
export async function tsvExamples(
  files: { train: string } & Partial<Record<DataSplit, string | undefined>>,
  { comparesTexts }: { comparesTexts: boolean },
): Promise<Examples> {
  const examples = { train: await tsvSplit(files.train, comparesTexts ? new TextCopies() : undefined) } as Examples;
  for (const split of dataSplits) {
    const path = files[split];
    if (split !== 'train' && path !== undefined) examples[split] = await tsvSplit(path, undefined);
  }
  return examples;
}

async function tsvSplit(path: string, copies: TextCopies | undefined): Promise<SplitExamples> {
  const lines = async function* (): AsyncGenerator<{ label: string; text: string; line: string }> {
    for await (const { text, label } of examplesOf(readExamples(path), () => undefined))
      yield { label: String(label), text, line: `${text}\t${label}\n` };
  };
  const counts = new Map<string, number>();
  for await (const { label, text } of lines()) {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    copies?.add(text, label);
  }
  return { counts, copies, lines };
}
