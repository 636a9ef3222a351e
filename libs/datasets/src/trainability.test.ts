import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { labelCounts } from './class-weights.js';
import { inspectTsv } from './inspect-tsv.js';
import { requireTrainable } from './trainability.js';

test.each([
  ['a\t0\nb\t1\n', undefined, undefined],
  ['a\t0\nb\t3\n', undefined, undefined],
  ['a\t0\nb\t0\n', 2, undefined],
  ['a\t0\nb\t10000\n', 10001, undefined],
  ['a\t0\nb\t-1\n', undefined, /train\.tsv:2: label -1 is below 0/],
  ['a\t0\nb\t2\n', 2, /train\.tsv:2: label 2 is not between 0 and 1/],
  ['a\t0\nb\t0\n', undefined, /same label/],
  ['a\t1\nb\t1\n', undefined, /same label/],
  ['a\t0\nb\t0\n', 1, /same label/],
  ['a\t0\nb\t10000\n', undefined, /would leave 9999 of 10001 classes without examples/],
  ['a\t104501\nb\t104777\nc\t250013\n', undefined, /would leave 250011 of 250014 classes/],
])('inspect and a run agree on whether %j with num_classes %p is trainable', async (content, numClasses, message) => {
  await withFolder({ 'train.tsv': content }, async (folder) => {
    const path = join(folder, 'train.tsv');
    const { trainable } = await inspectTsv(path, numClasses === undefined ? {} : { numClasses });
    const { firstLines } = await labelCounts(path);
    const check = () => {
      requireTrainable(path, firstLines, numClasses);
    };
    expect(trainable).toBe(message === undefined);
    if (message === undefined) check();
    else expect(check).toThrow(message);
  });
});
