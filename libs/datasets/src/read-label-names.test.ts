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

test.each([
  ['', /has no class names/],
  ['a\n\nb\n', /class 1 has no name/],
  ['a\t0\nb\t0\n', /labels\.tsv:2: label 0 is repeated/],
  ['a\t0\nb\t5\n', /labels\.tsv:2: label 5 is repeated, or not between 0 and 1/],
])('%j is rejected', async (content, message) => {
  await expect(namesIn(content)).rejects.toThrow(message);
});
