import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { DataError } from '../data-error.js';
import { importDataset, type ImportedDataset, type ImportOptions } from './import-dataset.js';

/** Imports a dataset whose original files are given, and gives what was written by name. */
async function convert(
  name: ImportOptions['name'],
  files: Record<string, string>,
  options: Partial<ImportOptions> = {},
): Promise<{ written: Record<string, string>; imported: ImportedDataset }> {
  return withFolder(prefixed('source', files), async (folder) => {
    const target = join(folder, 'target');
    const imported = await importDataset({ name, source: join(folder, 'source'), target, ...options });
    const written = Object.fromEntries(
      readdirSync(target).map((file) => [file, readFileSync(join(target, file), 'utf8')]),
    );
    return { written, imported };
  });
}

const prefixed = (folder: string, files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([path, content]) => [join(folder, path), content]));

const reviews = {
  'train/neg/10_1.txt': 'bad<br /><br />film',
  'train/neg/9_1.txt': 'a\ttab and\na newline\u0085here',
  'train/pos/1_9.txt': 'Good FILM\r\n',
  'test/pos/0_10.txt': 'fine',
};

describe('imdb', () => {
  test('whitespace in a text never breaks its row, and files are read in code-unit order of their names', async () => {
    const { written, imported } = await convert('imdb', reviews);
    expect(written).toEqual({
      'train.tsv': 'bad film\t0\na tab and a newline here\t0\nGood FILM\t1\n',
      'test.tsv': 'fine\t1\n',
      'label_ids.tsv': 'negative\npositive\n',
    });
    expect(imported.counts.train).toEqual({ rows: 3, labels: { 0: 2, 1: 1 } });
  });

  test('hidden files, which macOS adds to archives, are no reviews', async () => {
    const { written } = await convert('imdb', {
      ...reviews,
      'train/neg/._10_1.txt': 'junk',
      'test/pos/.x.txt': 'junk',
    });
    expect(written['train.tsv']).toBe('bad film\t0\na tab and a newline here\t0\nGood FILM\t1\n');
    expect(written['test.tsv']).toBe('fine\t1\n');
  });

  test('nemoCompatible keeps whitespace that breaks rows, and joins words at <br />', async () => {
    const { written } = await convert('imdb', reviews, { nemoCompatible: true });
    expect(written['train.tsv']).toBe('badfilm\t0\na\ttab and\na newline\u0085here\t0\nGood FILM\t1\n');
  });

  test('doLowerCase lower-cases the texts', async () => {
    expect((await convert('imdb', reviews, { doLowerCase: true })).written['train.tsv']).toMatch(/^good film\t1$/m);
  });

  test('a nested folder is found, and the test set is optional', async () => {
    const { written, imported } = await convert('imdb', { 'aclImdb/train/pos/1_9.txt': 'good' });
    expect(written['train.tsv']).toBe('good\t1\n');
    expect(imported.test).toBeUndefined();
    expect(imported.notes).toEqual(['there is no test folder: no test.tsv is written']);
  });
});

describe('sst-2', () => {
  const train = 'sentence\tlabel\nit \'s "good \t1\n\nBAD\t0\n';

  test('the header and blank lines are skipped, and quotation marks are text', async () => {
    const { written, imported } = await convert('sst-2', {
      'train.tsv': train,
      'dev.tsv': 'sentence\tlabel\nso so\t0\n',
    });
    expect(written).toEqual({
      'train.tsv': 'it \'s "good\t1\nBAD\t0\n',
      'dev.tsv': 'so so\t0\n',
      'label_ids.tsv': 'negative\npositive\n',
    });
    expect(imported.notes.join('\n')).toMatch(/1 blank line/);
  });

  test('a test set with labels is converted, except with nemoCompatible', async () => {
    const files = { 'train.tsv': train, 'test.tsv': 'sentence\tlabel\nfine\t1\n' };
    expect((await convert('sst-2', files)).written['test.tsv']).toBe('fine\t1\n');
    expect((await convert('sst-2', files, { nemoCompatible: true })).written['test.tsv']).toBeUndefined();
    const unlabelled = await convert('sst-2', { 'train.tsv': train, 'test.tsv': 'index\tsentence\n0\tfine\n' });
    expect(unlabelled.written['test.tsv']).toBeUndefined();
    expect(unlabelled.imported.notes.join('\n')).toMatch(/has no labels/);
  });

  test('a file without a header keeps its first row', async () => {
    expect((await convert('sst-2', { 'train.tsv': 'first\t1\nsecond\t0\n' })).written['train.tsv']).toBe(
      'first\t1\nsecond\t0\n',
    );
  });

  test('a file without the header of SST-2 is noted, and whether its first line was read', async () => {
    const notes = async (content: string, options: Partial<ImportOptions> = {}) =>
      (await convert('sst-2', { 'train.tsv': content }, options)).imported.notes.filter((note) =>
        note.includes('header'),
      );
    expect(await notes('first\t1\nsecond\t0\n')).toEqual([
      expect.stringMatching(/train\.tsv:1: .*not SST-2's header, "sentence<TAB>label"; it is read as an example/),
    ]);
    expect(await notes('first\t1\nsecond\t0\n', { nemoCompatible: true })).toEqual([
      expect.stringMatching(/it is left out/),
    ]);
    expect(await notes('text\tclass\nsecond\t0\n')).toEqual([expect.stringMatching(/it is left out/)]);
    expect(await notes(train)).toEqual([]);
  });

  test('a test set whose labels are all -1 has no labels', async () => {
    const { written, imported } = await convert('sst-2', {
      'train.tsv': train,
      'test.tsv': 'sentence\tlabel\nfine\t-1\nso so\t-1\n',
    });
    expect(written['test.tsv']).toBeUndefined();
    expect(imported.notes.join('\n')).toMatch(/test\.tsv has no labels/);
  });

  test('the original files are never replaced', async () => {
    const original = 'sentence\tlabel\ngood\t1\n';
    await withFolder({ 'train.tsv': original, 'dev.tsv': original }, async (folder) => {
      await expect(importDataset({ name: 'sst-2', source: folder, target: folder })).rejects.toThrow(
        /train\.tsv would replace .*, which the command reads/,
      );
      expect(readFileSync(join(folder, 'train.tsv'), 'utf8')).toBe(original);
    });
  });

  test('a line without a label is an error that names the line, and nothing is written', async () => {
    await withFolder(
      { 'source/train.tsv': 'sentence\tlabel\ngood\t1\n', 'source/dev.tsv': 'sentence\tlabel\nbad\tno\n' },
      async (folder) => {
        const target = join(folder, 'target');
        await expect(importDataset({ name: 'sst-2', source: join(folder, 'source'), target })).rejects.toThrow(
          /dev\.tsv:2: the second column is not an integer label/,
        );
        expect(readdirSync(target)).toEqual([]);
      },
    );
  });
});

describe('chemprot', () => {
  const relation = (text: string, interacts: string, kind: string) =>
    `1\t${text}\t${interacts}\t${kind}\tT1\t\tT2\t\t\t\n`;

  test('labels are numbered in order of appearance in train, test and dev', async () => {
    const { written } = await convert('chemprot', {
      trainingPosit_chem: relation('A, b', 'True', 'CPR:4') + relation('c', 'False', ''),
      testPosit_chem: relation('d', 'True', 'CPR:9') + relation('e', 'True', 'CPR:4'),
      developPosit_chem: relation('f', 'True', 'CPR:3'),
    });
    expect(written).toEqual({
      'train.tsv': 'A, b\t0\nc\t1\n',
      'test.tsv': 'd\t2\ne\t0\n',
      'dev.tsv': 'f\t3\n',
      'label_mapping.tsv': 'CPR:4\t0\nFalse\t1\nCPR:9\t2\nCPR:3\t3\n',
    });
  });

  test('a line without a label is an error that names the line', async () => {
    await expect(
      convert('chemprot', { trainingPosit_chem: relation('a', 'False', '') + 'only text\n' }),
    ).rejects.toThrow(/trainingPosit_chem:2: no label/);
  });
});

describe('thucnews', () => {
  const news = Object.fromEntries(
    Array.from({ length: 10 }, (_, at) => [`体育/${at}.txt`, `标题${at}\r\n第一\u3000段 ABC\n`] as const),
  );

  test('a fifth of each category is the test set, lines are joined by a space, and the names are written', async () => {
    const { written, imported } = await convert('thucnews', { ...news, '财经/0.txt': 'x' }, { doLowerCase: true });
    expect(written['test.tsv']).toBe('标题0 第一 段 abc\t0\n标题1 第一 段 abc\t0\n');
    expect(imported.counts.train).toEqual({ rows: 9, labels: { 0: 8, 13: 1 } });
    expect(written['label_ids.tsv']?.split('\n')).toHaveLength(15);
    expect(imported.notes).toContain('category 娱乐 (label 1) has no files');
  });

  test('nemoCompatible takes one test file of ten, joins lines, ignores lower-casing and writes no names', async () => {
    const { written } = await convert('thucnews', news, { nemoCompatible: true, doLowerCase: true });
    expect(written['test.tsv']).toBe('标题0第一\u3000段 ABC\t0\n');
    expect(written['label_ids.tsv']).toBeUndefined();
  });
});

test('run twice, the second time writes the same', async () => {
  await withFolder(prefixed('source', reviews), async (folder) => {
    const run = () => importDataset({ name: 'imdb', source: join(folder, 'source'), target: join(folder, 'target') });
    const first = await run();
    const content = readFileSync(first.train ?? '', 'utf8');
    expect(await run()).toEqual(first);
    expect(readFileSync(first.train ?? '', 'utf8')).toBe(content);
  });
});

test.each(['sst-2', 'imdb', 'chemprot', 'thucnews'] as const)(
  'a source of %s that is missing or another is told',
  async (name) => {
    await withFolder({ 'other/readme.md': 'x' }, async (folder) => {
      const target = join(folder, 'target');
      await expect(importDataset({ name, source: join(folder, 'nowhere'), target })).rejects.toThrow(
        /nowhere does not exist/,
      );
      await expect(importDataset({ name, source: join(folder, 'other'), target })).rejects.toThrow(/other has no /);
      await expect(importDataset({ name, source: join(folder, 'other'), target })).rejects.toThrow(DataError);
    });
  },
);

describe('a label that the dataset cannot have is an error that names the file and the line', () => {
  const sst2 = 'sentence\tlabel\ngood\t1\n';

  test.each([
    ['sst-2', { 'train.tsv': 'good\t1\nso so\t2\n' }, /train\.tsv:2: 2 is not a label of SST-2/],
    ['sst-2', { 'train.tsv': 'good\t1\nso so\t-1\n' }, /train\.tsv:2: -1 is not a label of SST-2/],
    ['sst-2', { 'train.tsv': sst2, 'test.tsv': `${sst2}so so\t-1\n` }, /test\.tsv:3: -1 is not a label of SST-2/],
    [
      'chemprot',
      { trainingPosit_chem: '1\ta\tTrue\tgood\n' },
      /trainingPosit_chem:1: "good" is not a label of ChemProt/,
    ],
    ['chemprot', { trainingPosit_chem: '1\ta\t2\tx\n' }, /trainingPosit_chem:1: "2" is not a label of ChemProt/],
    ['imdb', { ...reviews, 'train/neutral/1_5.txt': 'so so' }, /neutral.1_5\.txt: neutral is not a class of IMDB/],
    ['imdb', { ...reviews, 'test/neutral/1_5.txt': 'so so' }, /neutral.1_5\.txt: neutral is not a class of IMDB/],
    ['thucnews', { '体育/0.txt': 'x', '天气/0.txt': 'x' }, /天气.0\.txt: 天气 is not a class of THUCNews/],
  ] as const)('%s %j', async (name, files, message) => {
    await expect(convert(name, files)).rejects.toThrow(message);
  });

  test('also with nemoCompatible', async () => {
    await expect(convert('sst-2', { 'train.tsv': `${sst2}so so\t2\n` }, { nemoCompatible: true })).rejects.toThrow(
      /train\.tsv:3: 2 is not a label of SST-2/,
    );
  });

  test('reviews without labels, which the original of IMDB has in train/unsup, are none', async () => {
    const { imported } = await convert('imdb', { ...reviews, 'train/unsup/0_0.txt': 'so so' });
    expect(imported.counts.train?.rows).toBe(3);
  });
});

test('a source without training examples is rejected', async () => {
  await expect(convert('imdb', { 'train/readme.txt': 'x' })).rejects.toThrow(/has no training examples of imdb/);
});
