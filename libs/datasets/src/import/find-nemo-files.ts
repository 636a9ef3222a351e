import { join } from 'node:path';
import { exists, findFolderWith, listSorted } from './source-files.js';

/** NeMo's TSV files of a data set, by split. */
export interface NemoFiles {
  train?: string;
  validation?: string;
  test?: string;
  labels?: string;
}

const names: Record<keyof NemoFiles, readonly string[]> = {
  train: ['train.tsv'],
  validation: ['dev.tsv', 'validation.tsv', 'valid.tsv'],
  test: ['test.tsv'],
  labels: ['label_ids.tsv', 'label_mapping.tsv'],
};

/** Whether a file name is one that `findNemoFiles` looks for. */
export const isNemoFileName = (name: string): boolean => Object.values(names).some((some) => some.includes(name));

/**
 * Finds the files that `importDataset` and NeMo's import_datasets.py write, by their names: in the folder, or in one inside
 * it. A folder whose only .tsv has another name is taken for a training set.
 */
export async function findNemoFiles(source: string): Promise<NemoFiles> {
  const folder = (await findFolderWith(source, names.train)) ?? source;
  const found: NemoFiles = {};
  for (const [split, some] of Object.entries(names)) {
    for (const name of some) {
      const path = join(folder, name);
      if (await exists(path)) found[split as keyof NemoFiles] ??= path;
    }
  }
  const [only, ...others] = (await listSorted(folder)).filter((name) => name.endsWith('.tsv'));
  if (Object.keys(found).length === 0 && only !== undefined && others.length === 0) found.train = join(folder, only);
  return found;
}
