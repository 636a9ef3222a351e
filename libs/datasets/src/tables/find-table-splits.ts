import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { DataError } from '../data-error.js';
import { type DataSplit, dataSplits } from './divide-examples.js';
import { hasClassFolders } from './read-class-folders.js';

/** The tables of a folder, by split; several of a split are shards in their order. */
export type FoundTables = Partial<Record<DataSplit, string[]>>;

const tableName = /\.(?:csv|tsv|jsonl|ndjson|json|parquet)(?:\.gz)?$/i;

/** Files that describe a data set, or a model beside it. */
const description =
  /^(?:dataset_infos?|dataset_dict|state|config|metadata|package|tokenizer.*|vocab|label_ids|label_mapping)\.\w+$/i;

// The words of Hugging Face's datasets, by which the files of a split are recognised.
const splitWords: Readonly<Record<DataSplit, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev', 'develop', 'development'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/** How deep a data set's files are: `data/default/train/0000.parquet`. */
const deepest = 3;

/** Whether a file of a data set may be a table, by its name. */
const isTableName = (path: string): boolean =>
  tableName.test(path) && !description.test(basename(path)) && !path.split('/').some((part) => part.startsWith('.'));

/**
 * Finds the tables of a folder in the layouts of Hugging Face's datasets: `train.csv`, `data/train-00000-of-00002.parquet`,
 * `train/0.jsonl`; or folders of texts, one for each class, in a folder for each split or without splits.
 *
 * @returns undefined if the folder has none
 * @throws DataError for files that are in more than one subset or format, or in no split
 */
export async function findTableSplits(folder: string): Promise<FoundTables | undefined> {
  const paths = (await filesIn(folder, deepest)).map((path) => relative(folder, path));
  const bySplit = tablesBySplit(paths, folder);
  if (bySplit) {
    const entries = Object.entries(bySplit).map(([split, some]) => [split, some.map((path) => join(folder, path))]);
    return Object.fromEntries(entries) as FoundTables;
  }
  return classFolderSplits(folder);
}

/**
 * The tables among the files of a data set, by split.
 *
 * @param paths - relative to the data set
 * @param place - the data set, for messages
 */
export function tablesBySplit(paths: readonly string[], place: string): FoundTables | undefined {
  const all = paths.filter(isTableName).sort();
  // Tables in folders beside those at the top are other data sets, which `nautil.data.subset` names.
  const atTop = all.filter((path) => subsetOf(path) === '.');
  const tables = atTop.some((path) => splitOf(path) === 'train') ? atTop : all;
  if (tables.length === 0) return undefined;
  const found = new Map<DataSplit, string[]>();
  const unnamed: string[] = [];
  const hasTest = tables.some((path) => splitOf(path, ['test', 'testing']) === 'test');
  for (const path of tables) {
    const split = splitOf(path);
    // Hugging Face's datasets call `eval` a test set, which it is not beside one.
    const isEvaluation = split === 'test' && hasTest && splitOf(path, ['test', 'testing']) === undefined;
    if (split === undefined) unnamed.push(path);
    else append(found, isEvaluation ? 'validation' : split, path);
  }
  if (!found.has('train')) {
    const isOne = unnamed.length === 1 || (unnamed.length > 1 && areShards(unnamed));
    if (isOne) found.set('train', unnamed);
    else if (unnamed.length > 1) {
      throw new DataError(`${place} has several tables, and none is named for its split: ${shownPaths(unnamed)}`, {
        hint: 'name the training file with train in its name (train.csv, validation.csv, test.csv), or set model.train_ds.file_path',
      });
    }
  }
  for (const [split, some] of found) requireOneSubset(split, some, place);
  return found.size === 0
    ? undefined
    : Object.fromEntries(
        dataSplits.filter((split) => found.has(split)).map((split) => [split, found.get(split) ?? []]),
      );
}

/** The split that a path names: in the file's name, or else in that of the nearest folder. */
function splitOf(path: string, only?: readonly string[]): DataSplit | undefined {
  for (const part of path.split('/').reverse()) {
    const parts = part.toLowerCase().split(/[^a-z]+/);
    for (const split of dataSplits) {
      const usual = only ? splitWords[split].filter((word) => only.includes(word)) : splitWords[split];
      if (usual.some((word) => parts.includes(word))) return split;
    }
  }
  return undefined;
}

/** Whether names differ in numbers alone: `part-0001.parquet`. */
const areShards = (paths: readonly string[]): boolean => new Set(paths.map(withoutNumbers)).size === 1;

const withoutNumbers = (path: string): string => path.replaceAll(/\d+/g, '#');

/** @throws DataError if the files of a split are in several folders, or are not shards of one table */
function requireOneSubset(split: DataSplit, paths: readonly string[], place: string): void {
  if (areShards(paths)) return;
  const folders = [...new Set(paths.map((path) => subsetOf(path)))];
  if (folders.length > 1) {
    throw new DataError(`${place} has more than one data set: ${folders.slice(0, 20).join(', ')}`, {
      hint: `choose one: nautil.data.subset=${folders[0] ?? ''}`,
    });
  }
  throw new DataError(`${place} has several tables of the ${split} split: ${shownPaths(paths)}`, {
    hint: `keep one of them, or set model.${split}_ds.file_path`,
  });
}

/** The folder of a table without those that are named for splits: that of a subset ("configuration") of a data set. */
function subsetOf(path: string): string {
  const folders = dirname(path)
    .split('/')
    .filter((part) => splitOf(part) === undefined);
  return folders.length === 0 ? '.' : folders.join('/');
}

const shownPaths = (paths: readonly string[]): string =>
  `${paths.slice(0, 10).join(', ')}${paths.length > 10 ? ` and ${paths.length - 10} more` : ''}`;

function append(found: Map<DataSplit, string[]>, split: DataSplit, path: string): void {
  found.set(split, [...(found.get(split) ?? []), path]);
}

async function filesIn(folder: string, depth: number): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    // Every file in the hub's cache is a link.
    const target = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (target?.isFile()) files.push(path);
    else if (target?.isDirectory() && depth > 0) for (const file of await filesIn(path, depth - 1)) files.push(file);
  }
  return files;
}

async function classFolderSplits(folder: string): Promise<FoundTables | undefined> {
  const found: FoundTables = {};
  for (const name of await readdir(folder)) {
    const split = splitOf(name);
    if (split !== undefined && (await hasClassFolders(join(folder, name), split === 'train' ? 2 : 1)))
      found[split] ??= [join(folder, name)];
  }
  if (found.train !== undefined) return found;
  return (await hasClassFolders(folder, 2)) ? { train: [folder] } : undefined;
}
