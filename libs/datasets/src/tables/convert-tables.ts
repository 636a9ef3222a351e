import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { requireOutput } from '@nautil/store';
import { createFolder, syncFolder } from '@nautil/store/folders';
import { DataError } from '../data-error.js';
import { type DataSplit, divideExamples } from './divide-examples.js';
import { findTableSplits } from './find-table-splits.js';
import { type SurveyOptions, surveyTables } from './survey-tables.js';
import { tableExamples, writeClassNames } from './table-examples.js';

export interface ConvertTablesOptions extends Omit<SurveyOptions, 'paths'> {
  /** A table, or a folder of tables. */
  source: string;

  /** The file to write, or, for a folder of several splits, the folder. */
  target: string;

  /** Whether files that exist are replaced, except those that are read. */
  force?: boolean;
}

export interface ConvertedTables {
  /** The written files with the number of their examples. */
  files: { path: string; examples?: number }[];
  notes: string[];
}

const namesFile = 'label_ids.tsv';

/** The tables that a user names: one, or those of a folder. */
export async function tablesAt(
  source: string,
): Promise<{ train: string[] } & Partial<Record<'validation' | 'test', string[]>>> {
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() ?? false;
  if (!isFolder) return { train: [source] };
  const { train, ...others } = (await findTableSplits(source)) ?? {};
  if (train !== undefined) return { train, ...others };
  throw new DataError(`${source} has no training data`, {
    hint: 'tables are found by the names of their splits: train.csv, data/train-0.parquet, validation.jsonl; or name one file',
  });
}

/**
 * Writes tables in NeMo's format, with the names of the classes beside them. If there are such names already, the classes keep
 * those ids, so that files that are converted one after the other fit together.
 *
 * @throws DataError for tables that a run rejects; UsageError for a file that must not be replaced
 */
export async function convertTables({
  source,
  target,
  force = false,
  ...o
}: ConvertTablesOptions): Promise<ConvertedTables> {
  const paths = await tablesAt(source);
  const isOne = paths.validation === undefined && paths.test === undefined;
  const folder = isOne ? dirname(target) : target;
  const nameOf = (split: DataSplit): string => (isOne ? basename(target) : `${split}.tsv`);
  const names = join(folder, namesFile);
  const known = o.labelsFile ?? (existsSync(names) ? names : undefined);
  const splits = Object.keys(paths) as DataSplit[];
  const inputs = [...splits.flatMap((split) => paths[split] ?? []), known];
  for (const file of [...splits.map(nameOf), ...(known === names ? [] : [namesFile])])
    requireOutput(join(folder, file), { inputs, force });
  const labelsHint =
    known === names
      ? 'or, if these are other data than the ones converted into this folder before, name another folder'
      : undefined;
  const survey = await surveyTables({ ...o, paths, labelsFile: known, labelsHint });
  const examples = tableExamples(survey);
  await createFolder(folder);
  const unfinished = await mkdtemp(join(folder, '.convert-'));
  try {
    const written = await divideExamples(examples, { seed: 0, validationFraction: 0, folder: unfinished });
    const moves = Object.entries(written).map(
      ([split, path]) => [path, join(folder, nameOf(split as DataSplit))] as const,
    );
    const labels = await writeClassNames(survey.names, unfinished);
    if (known !== names) moves.push([labels, names]);
    // Another process may have written them in the meantime.
    for (const [, to] of moves) requireOutput(to, { inputs, force });
    for (const [from, to] of moves) await rename(from, to);
    await syncFolder(folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  const files = Object.entries(survey.splits).map(([split, found]) => ({
    path: join(folder, nameOf(split as DataSplit)),
    examples: found.examples,
  }));
  const keeps = known === names ? [`the classes keep the ids of ${names}`] : [];
  return { files: [...files, ...(known === names ? [] : [{ path: names }])], notes: [...survey.notes, ...keeps] };
}
