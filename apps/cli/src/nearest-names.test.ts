// cspell:ignore reviws
import { expect, test } from '@jest/globals';
import { nearestNames } from './nearest-names.js';

const names = ['sst2-20261126-101500', 'sst2-20261127-090000', 'reviews', 'reviews-long', 'imdb', 'rates'];

test('a slip is corrected, and what a name begins with is completed', () => {
  expect(nearestNames('reviws', names)).toEqual(['reviews']);
  expect(nearestNames('sst2', names)).toEqual(['sst2-20261126-101500', 'sst2-20261127-090000']);
  expect(nearestNames('IMDB', names)).toEqual(['imdb']);
});

test('nothing is proposed for a name that resembles none', () => {
  expect(nearestNames('completely-different', names)).toEqual([]);
});

test('at most three names are proposed, the nearest first', () => {
  expect(nearestNames('run-10', ['run-1', 'run-100', 'run-10b', 'run-11', 'a run-10'])).toEqual([
    'run-100',
    'run-10b',
    'a run-10',
  ]);
});
