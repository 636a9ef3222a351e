import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { foldersIn, textFiles } from '../import/source-files.js';
import { readWholeText } from '../read-lines.js';
import { batchRows, type Table, type TableRow } from './table.js';

/**
 * Whether a folder has texts in folders that are named for their classes: `pos/*.txt`, `neg/*.txt`.
 *
 * @param atLeast - the number of such folders
 */
export async function hasClassFolders(path: string, atLeast: number): Promise<boolean> {
  return (await classFolders(path)).length >= atLeast;
}

async function classFolders(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of await foldersIn(path)) {
    if (basename(folder).startsWith('.')) continue;
    // A folder may have a million texts, and one shows what it is.
    if ((await readdir(folder)).some((name) => name.endsWith('.txt') && !name.startsWith('.'))) found.push(folder);
  }
  return found;
}

/** Texts in files of their own, in one folder for each class. */
export async function classFoldersTable(path: string): Promise<Table> {
  const texts: { file: string; label: string }[] = [];
  for (const folder of await classFolders(path))
    for (const file of await textFiles(folder)) texts.push({ file, label: basename(folder) });
  return {
    path,
    format: 'class folders',
    details: [],
    columns: ['text', 'label'],
    classNames: new Map(),
    placeOf: (position) => texts[position - 1]?.file ?? join(path, '?'),
    rows: async function* (selected) {
      for (let start = 0; start < texts.length; start += batchRows) {
        const batch: TableRow[] = [];
        for (const [index, { file, label }] of texts.slice(start, start + batchRows).entries()) {
          const text = selected.includes('text') ? await readWholeText(file) : undefined;
          batch.push({
            position: start + index + 1,
            values: selected.map((name) => (name === 'text' ? text : name === 'label' ? label : undefined)),
          });
        }
        yield batch;
      }
    },
  };
}
