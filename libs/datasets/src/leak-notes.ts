import type { DataSplit } from './tables/divide-examples.js';

/** A sentence on the examples of a split whose texts the training data has, too; none if there are no such examples. */
export const leakNotes = (
  split: Exclude<DataSplit, 'train'>,
  { leaked, examples }: { leaked: number; examples: number },
): string[] =>
  leaked === 0
    ? []
    : [
        `${leaked} of ${examples} ${split} texts ${leaked === 1 ? 'is' : 'are'} in the training data, too, so the scores are too good: remove them there (npx nautil inspect with both files lists them)`,
      ];
