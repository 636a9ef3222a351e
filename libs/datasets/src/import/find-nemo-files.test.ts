import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { findNemoFiles } from './find-nemo-files.js';

const found = (files: string[]): Promise<Record<string, string>> =>
  withFolder(Object.fromEntries(files.map((file) => [file, 'a\t0\n'])), async (folder) =>
    Object.fromEntries(
      (Object.entries(await findNemoFiles(folder)) as [string, string][]).map(([split, path]) => [
        split,
        path.slice(folder.length + 1),
      ]),
    ),
  );

test.each([
  [
    ['train.tsv', 'dev.tsv', 'test.tsv', 'label_ids.tsv'],
    { train: 'train.tsv', validation: 'dev.tsv', test: 'test.tsv', labels: 'label_ids.tsv' },
  ],
  [
    ['b/c/train.tsv', 'b/c/validation.tsv', 'z/dev.tsv'],
    { train: join('b', 'c', 'train.tsv'), validation: join('b', 'c', 'validation.tsv') },
  ],
  [['train.tsv', 'dev.tsv', 'validation.tsv'], { train: 'train.tsv', validation: 'dev.tsv' }],
  [['reviews.tsv', 'readme.md'], { train: 'reviews.tsv' }],
  [['one.tsv', 'two.tsv'], {}],
  [['data.parquet'], {}],
])('among %j these are chosen: %j', async (files, expected) => {
  expect(await found(files)).toEqual(expected);
});
