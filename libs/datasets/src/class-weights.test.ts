import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { classWeights, labelCounts } from './class-weights.js';

test('labels are counted in ascending order, and skipped lines separately', async () => {
  await withFolder({ 'train.tsv': 'sentence\tlabel\na\t3\nb\t0\nc\t3\n\n' }, async (folder) => {
    const { counts, ...rest } = await labelCounts(join(folder, 'train.tsv'));
    expect([...counts]).toEqual([
      [0, 1],
      [3, 2],
    ]);
    expect(rest).toMatchObject({ examples: 3, skipped: 2, numClasses: 4 });
    expect([...rest.firstLines]).toEqual([
      [3, 2],
      [0, 3],
    ]);
    expect(rest.skippedLines.map(({ line, reason }) => [line, reason])).toEqual([
      [1, 'the last word, "label", is not an integer label (a header?)'],
      [5, 'blank line'],
    ]);
  });
});

test('a class that is half as frequent has twice the weight, and an absent class has weight 1', () => {
  const weights = classWeights(
    new Map([
      [0, 4],
      [2, 2],
    ]),
    4,
  );
  expect(weights).toEqual([0.75, 1, 1.5, 1]);
});

test.each([-1, 2])('label %d of two classes is rejected', (label) => {
  expect(() => classWeights(new Map([[label, 1]]), 2)).toThrow(/is not between 0 and 1/);
});
