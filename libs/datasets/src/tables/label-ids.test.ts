import { expect, test } from '@jest/globals';
import { labelIds } from './label-ids.js';

test.each([
  ['names', ['neg', 'pos'], { neg: 0, pos: 1, '0': 0, '1': 1, '2': undefined, '-1': undefined, Pos: undefined }],
  // Were 0 an id here, the labels 0 and 1 of a file would be one class.
  ['names that are whole numbers', ['1', '2', '3'], { '1': 0, '3': 2, '0': undefined }],
  ['names of which one is a whole number', ['other', '7'], { '7': 1, other: 0, '0': undefined, '1': undefined }],
  ['truth values in the case of pandas', ['False', 'True'], { true: 1, True: 1, false: 0, '1': 1 }],
  ['truth values in the case of JSON', ['false', 'true', 'unknown'], { true: 1, True: 1, TRUE: 1, False: 0 }],
  ['no names', undefined, { '0': 0, '1': 1, '2': undefined, neg: undefined }],
])('a label is a name, or else an id where no name is a whole number: %s', (_, labels, expected) => {
  const idOf = labelIds({ labels, numClasses: labels?.length ?? 2 }, { areIds: false });
  expect(Object.fromEntries(Object.keys(expected).map((label) => [label, idOf(label)]))).toEqual(expected);
});
