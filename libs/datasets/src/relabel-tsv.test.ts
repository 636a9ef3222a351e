import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { relabelTsv } from './relabel-tsv.js';

const newLabels = new Map([
  [-1, 0],
  [40, 1],
]);

test('a relabelled copy has each example on its line, and other lines as they were', async () => {
  await withFolder({ 'a.tsv': '\ufefftext\tlabel\r\n\r\na \u2028 b\tc\t40\r\nno label\n-1' }, async (folder) => {
    await relabelTsv(join(folder, 'a.tsv'), join(folder, 'b.tsv'), newLabels);
    expect(readFileSync(join(folder, 'b.tsv'), 'utf8')).toBe('text\tlabel\n\na b c\t1\nno label\n\t0\n');
  });
});

test('a label without a number is an error that names the line', async () => {
  await withFolder({ 'a.tsv': 'a\t40\nb\t41\n' }, async (folder) => {
    const path = join(folder, 'a.tsv');
    const message = /a\.tsv:2: label 41 does not occur in the training file/;
    await expect(relabelTsv(path, join(folder, 'b.tsv'), newLabels)).rejects.toThrow(message);
  });
});

test('a relabelled copy of pairs keeps both texts', async () => {
  await withFolder({ 'a.tsv': 'a\tb c\t40\nsingle\t40\nd\t\t-1\n' }, async (folder) => {
    await relabelTsv(join(folder, 'a.tsv'), join(folder, 'b.tsv'), newLabels, { pairs: true });
    expect(readFileSync(join(folder, 'b.tsv'), 'utf8')).toBe('a\tb c\t1\nsingle\t40\nd\t\t0\n');
  });
});
