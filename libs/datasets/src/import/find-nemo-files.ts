import { join } from 'node:path';
import { exists, findFolderWith, listSorted } from './source-files.js';

/** The NeMo TSV files of a dataset by split. */
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

/** Whether `findNemoFiles` looks for a file of this name. */
export const isNemoFileName = (name: string): boolean => Object.values(names).some((some) => some.includes(name));

/**
 * Finds the files that `importDataset` and NeMo's import_datasets.py write, by name, in the folder or in one inside it. If
 * the only .tsv file has another name, it is taken as the training set.
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
