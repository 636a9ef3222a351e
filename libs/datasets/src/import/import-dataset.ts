import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { splitWords } from '@nautil/python-format';
import { requireOutput, writeFileAtomic } from '@nautil/store';
import { createFolder, syncFolder } from '@nautil/store/folders';
import { DataError } from '../data-error.js';
import type { Converter, Row, Split } from './conversion.js';
import { convertChemprot } from './convert-chemprot.js';
import { convertImdb } from './convert-imdb.js';
import { convertSst2 } from './convert-sst2.js';
import { convertThucnews } from './convert-thucnews.js';

/** The datasets that NeMo's import_datasets.py converts. */
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

  /** Folder of the original files, or a folder that contains it. */
  source: string;

  /** Output folder; created if missing. */
  target: string;

  doLowerCase?: boolean;

  /** Reproduces the output of NeMo's import_datasets.py byte for byte, including its defects. */
  nemoCompatible?: boolean;
}

export interface ImportedDataset {
  /** Paths of the written files. */
  train?: string;
  dev?: string;
  test?: string;

  /** File of class names: one name per line, or `name<TAB>label` lines. */
  labels?: string;

  /** Number of rows by split, in total and by label. */
  counts: Partial<Record<Split, { rows: number; labels: Record<number, number> }>>;

  /** Omissions and their reasons. */
  notes: string[];
}

/** Size of one write. */
const writeBytes = 1 << 16;

/**
 * Converts a dataset's original files to NeMo's TSV format. The output is deterministic. By default any whitespace inside a
 * text, including tabs and newlines, becomes a single space, so that the row reads back as it was converted.
 *
 * @throws DataError when files are missing or have another layout; nothing is written in that case
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
  await createFolder(target);
  // Files are moved into place together, once the last one is complete.
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
        throw new DataError(`${source} has no training examples of ${name}`, {
          hint: 'check that it is the right folder',
        });
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
    // Files of an earlier import are replaced, and the original ones are not.
    for (const file of written) requireOutput(join(target, file), { inputs: [join(source, file)], force: true });
    for (const file of written) await rename(join(unfinished, file), join(target, file));
    await syncFolder(target);
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
  let buffered = '';
  for await (const { text, label } of rows) {
    buffered += `${asIs ? text : splitWords(text).join(' ')}\t${label}\n`;
    counts.rows++;
    counts.labels[label] = (counts.labels[label] ?? 0) + 1;
    if (buffered.length < writeBytes) continue;
    yield Buffer.from(buffered);
    buffered = '';
  }
  yield Buffer.from(buffered);
}
