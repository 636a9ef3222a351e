import { writeFileAtomic } from '@nautil/store';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data-error.js';
import { splitWords } from '@nautil/python-format';
import type { Converter, Row, Split } from './conversion.js';
import { convertChemprot } from './convert-chemprot.js';
import { convertImdb } from './convert-imdb.js';
import { convertSst2 } from './convert-sst2.js';
import { convertThucnews } from './convert-thucnews.js';

/** The datasets that NeMo's import_datasets.py knows. */
export const datasetNames = ['sst-2', 'chemprot', 'imdb', 'thucnews'] as const;
export type DatasetName = (typeof datasetNames)[number];

const converters: Record<DatasetName, Converter> = {
  'sst-2': convertSst2,
  chemprot: convertChemprot,
  imdb: convertImdb,
  thucnews: convertThucnews,
};

export interface ImportOptions {
  name: DatasetName;

  /** Folder of the original files, or the folder above it. */
  source: string;

  /** Folder to write to; made when it is missing. */
  target: string;

  doLowerCase?: boolean;

  /** Writes what NeMo's import_datasets.py writes, byte by byte. */
  nemoCompatible?: boolean;
}

export interface ImportedDataset {
  /** Paths of what was written. */
  train?: string;
  dev?: string;
  test?: string;

  /** The class names, by line or by `name<TAB>label`. */
  labels?: string;

  /** Rows by split, and of them by label. */
  counts: Partial<Record<Split, { rows: number; labels: Record<number, number> }>>;

  /** What was left out, and why. */
  notes: string[];
}

/** Bytes gathered before they are written. */
const writeBytes = 1 << 16;

/**
 * Converts a dataset's original files to NeMo's TSV. Run again it writes the same again. By default no row is broken by a tab, a
 * newline or another space inside its text: each becomes a single space, as reading the row would make it.
 *
 * @throws DataError for files that are missing or of another layout; then nothing was written.
 */
export async function importDataset(options: ImportOptions): Promise<ImportedDataset> {
  const { name, source, target, doLowerCase = false, nemoCompatible = false } = options;
  const imported: ImportedDataset = { counts: {}, notes: [] };
  const conversion = await converters[name]({
    source,
    doLowerCase,
    nemoCompatible,
    note: (text) => imported.notes.push(text),
  });
  await mkdir(target, { recursive: true });
  // All files appear together, when the last is whole.
  const unfinished = await mkdtemp(join(target, '.import-'));
  try {
    const written: string[] = [];
    for (const split of ['train', 'test', 'dev'] as const) {
      const rows = conversion.splits[split];
      if (!rows) continue;
      const counts = { rows: 0, labels: {} };
      imported.counts[split] = counts;
      await writeFileAtomic(join(unfinished, `${split}.tsv`), tsvBytes(rows(), counts, nemoCompatible));
      if (split === 'train' && counts.rows === 0) {
        throw new DataError(`${source} holds no training example of ${name}`, { hint: 'is it the right folder?' });
      }
      imported[split] = join(target, `${split}.tsv`);
      written.push(`${split}.tsv`);
    }
    const labels = conversion.labels?.();
    if (labels) {
      await writeFileAtomic(join(unfinished, labels.name), labels.content);
      imported.labels = join(target, labels.name);
      written.push(labels.name);
    }
    for (const file of written) await rename(join(unfinished, file), join(target, file));
    return imported;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function* tsvBytes(
  rows: AsyncIterable<Row>,
  counts: { rows: number; labels: Record<number, number> },
  asIs: boolean,
): AsyncGenerator<Uint8Array> {
  let held = '';
  for await (const { text, label } of rows) {
    held += `${asIs ? text : splitWords(text).join(' ')}\t${label}\n`;
    counts.rows++;
    counts.labels[label] = (counts.labels[label] ?? 0) + 1;
    if (held.length < writeBytes) continue;
    yield Buffer.from(held);
    held = '';
  }
  yield Buffer.from(held);
}
