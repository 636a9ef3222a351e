import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { labelCounts } from './class-weights.js';
import { inspectTsv } from './inspect-tsv.js';
import { examplesOf, readExamples, type ReadOptions } from './read-examples.js';
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
    const labels = await labelCounts(path);
    const check = () => {
      requireTrainable(path, labels, numClasses);
    };
    expect(trainable).toBe(message === undefined);
    if (message === undefined) check();
    else expect(check).toThrow(message);
  });
});

test.each<[string, ReadOptions]>([
  ['the best film in 2024', {}],
  ['the best film in 2024', { numClasses: 2 }],
  ['the best film in 2024', { numClasses: 2, isTrained: true }],
  ['a film for 3000000000', {}],
  ['a film below -5', {}],
  ['a film below -5', { numClasses: 2 }],
])(
  'where only lines without a tab have labels that do not fit, every reader advises the tab: %s, %j',
  async (line, options) => {
    // The line without a tab may be the first one, so that the others decide.
    for (const content of [`${line}\ngood\t1\nbad\t0\nfine\t1\n`, `good\t1\nbad\t0\nfine\t1\n${line}\n`]) {
      await withFolder({ 'train.tsv': content }, async (folder) => {
        const path = join(folder, 'train.tsv');
        const read = async () => {
          const lines = examplesOf(readExamples(path, options), () => undefined);
          for await (const example of lines) expect(example).toBeDefined();
          requireTrainable(path, await labelCounts(path), options.numClasses);
        };
        await expect(read()).rejects.toMatchObject({ hint: expect.stringMatching(/^put a tab before the label/) });
      });
    }
  },
);

test('a label after a tab that does not fit is reported before those of lines without a tab', async () => {
  await withFolder({ 'train.tsv': 'a\t0\nb\t1\nc\t5\nin 2024\n' }, async (folder) => {
    const path = join(folder, 'train.tsv');
    const labels = await labelCounts(path);
    expect(() => {
      requireTrainable(path, labels, 2);
    }).toThrow(/train\.tsv:3: label 5 is not/);
  });
});

test.each([
  ['a\t0\nb\t7\n', 2, 'model.dataset.num_classes=8'],
  ['a\t1\nb\t2\n', 2, 'nautil.data.relabel=true'],
  ['a\t0\nb\t-1\n', undefined, 'nautil.data.relabel=true'],
  ['a\t0\nb\t1\nc\t0\nin 2024\n', 2, undefined],
])('a fault of labels carries the setting that its hint proposes: %j', async (content, numClasses, setting) => {
  await withFolder({ 'train.tsv': content }, async (folder) => {
    const path = join(folder, 'train.tsv');
    const labels = await labelCounts(path);
    const thrown = ((): unknown => {
      try {
        requireTrainable(path, labels, numClasses);
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toMatchObject({ setting });
  });
});
