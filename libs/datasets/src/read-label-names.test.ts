import { join } from 'node:path';
import { readLabelNames } from './read-label-names.js';
import { withFolder } from './temporary-folder.js';

const namesIn = (content: string) =>
  withFolder({ 'labels.tsv': content }, (folder) => readLabelNames(join(folder, 'labels.tsv')));

test('a name a line, the first for label 0', async () => {
  expect(await namesIn('negative\npositive\n')).toEqual(['negative', 'positive']);
  expect(await namesIn('very good\r\nso-so\r\n\r\n')).toEqual(['very good', 'so-so']);
});

test('a mapping of names to labels is put in the order of the labels', async () => {
  expect(await namesIn('CPR:5\t1\nFalse\t0\nCPR:6\t2\n')).toEqual(['False', 'CPR:5', 'CPR:6']);
});

test.each([
  ['', /holds no class name/],
  ['a\n\nb\n', /class 1 has no name/],
  ['a\t0\nb\t0\n', /labels\.tsv:2: label 0 is given twice/],
  ['a\t0\nb\t5\n', /labels\.tsv:2: label 5 .* is not within 0 … 1/],
])('%j is refused', async (content, message) => {
  await expect(namesIn(content)).rejects.toThrow(message);
});
