import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { readLabelNames } from './read-label-names.js';

const namesIn = (content: string) =>
  withFolder({ 'labels.tsv': content }, (folder) => readLabelNames(join(folder, 'labels.tsv')));

test('each line names a class, the first label 0', async () => {
  expect(await namesIn('negative\npositive\n')).toEqual(['negative', 'positive']);
  expect(await namesIn('very good\r\nso-so\r\n\r\n')).toEqual(['very good', 'so-so']);
});

test('a mapping of names to labels is sorted by label', async () => {
  expect(await namesIn('CPR:5\t1\nFalse\t0\nCPR:6\t2\n')).toEqual(['False', 'CPR:5', 'CPR:6']);
});

test('a mapping of labels to names is sorted by label', async () => {
  expect(await namesIn('1\tpositive\n0\tnegative\n')).toEqual(['negative', 'positive']);
});

test.each([1, 3])('two names for %d classes are rejected', async (numClasses) => {
  await withFolder({ 'labels.tsv': 'a\nb\n' }, async (folder) => {
    await expect(readLabelNames(join(folder, 'labels.tsv'), numClasses)).rejects.toThrow(
      `labels.tsv has 2 names, and there are ${numClasses} classes`,
    );
  });
});

test.each([
  ['', /has no class names/],
  ['a\n\nb\n', /class 1 has no name/],
  ['a\t0\nb\t0\n', /labels\.tsv:2: label 0 is repeated/],
  ['a\t0\nb\t5\n', /labels\.tsv: label 1 is missing: the labels are not between 0 and 1/],
  ['a\nb\na\n', /labels\.tsv:3: the name "a" is repeated/],
  ['0\ta\n1\ta\n', /labels\.tsv:2: the name "a" is repeated/],
  ['0\t1\n1\t0\n', /unclear which one is the label/],
  ['0\tnegative\npositive\n', /labels\.tsv:1: a tab/],
])('%j is rejected', async (content, message) => {
  await expect(namesIn(content)).rejects.toThrow(message);
});
