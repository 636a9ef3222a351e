import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Config } from '@nautil/config';
import type { Source } from '@nautil/contracts';
import { DataError, type NemoFiles } from '@nautil/datasets';
import { findTableSplits, isNemoFile, openTable } from '@nautil/datasets/tables';

type DataConfig = Config['nautil']['data'];

/** Whether the configuration names a column, which only tables have. */
const namesColumns = ({ text_column, text_pair_column, label_column }: DataConfig): boolean =>
  [text_column, text_pair_column, label_column].some((name) => name !== null);

/**
 * Whether the data of a run is read as tables: with `nautil.data.format=auto`, if the training file is not in NeMo's format,
 * and is a table. A file that is neither is left to the reader of NeMo's format, which states what is wrong with it.
 *
 * @throws DataError for a training file of another format, such as a workbook
 */
export async function isTable(trainingFile: string, data: DataConfig): Promise<boolean> {
  if (data.format !== 'auto') return data.format === 'table';
  return namesColumns(data) || (!(await isNemoFile(trainingFile)) && (await openTable(trainingFile)) !== undefined);
}

/**
 * The tables of a folder by split; undefined if its files have NeMo's format, or if it has no tables.
 *
 * @param nemo - the files that NeMo's names are found for
 * @throws DataError for a folder in which the splits are not clear
 */
export async function tablesIn(
  folder: string,
  data: DataConfig,
  nemo: NemoFiles,
): Promise<Source['data']['tables'] | undefined> {
  const { format, subset } = data;
  if (format === 'nemo') return undefined;
  if (nemo.train !== undefined && subset === null && !(await isTable(nemo.train, data))) return undefined;
  const place = subset === null ? folder : join(folder, subset);
  if (!((await stat(place).catch(() => undefined))?.isDirectory() ?? false)) {
    throw new DataError(`nautil.data.subset: ${folder} has no folder ${subset ?? ''}`, {
      hint: 'name a folder of the data set, or set nautil.data.subset=null',
    });
  }
  const { train, ...others } = (await findTableSplits(place)) ?? {};
  if (train !== undefined) return { train, ...others };
  if (nemo.train !== undefined || (others.validation ?? others.test) === undefined) return undefined;
  throw new DataError(`${place} has tables, but none of the training split`, {
    hint: `found: ${Object.values(others)
      .flat()
      .map((path) => basename(path))
      .slice(0, 10)
      .join(', ')}; the name of the training file contains train, as in train.csv`,
  });
}

/** One table for each split. */
export const tablesOf = (files: {
  train: string;
  validation: string | undefined;
  test: string | undefined;
}): NonNullable<Source['data']['tables']> => ({
  train: [files.train],
  ...(files.validation === undefined ? {} : { validation: [files.validation] }),
  ...(files.test === undefined ? {} : { test: [files.test] }),
});
