import { expect, test } from '@jest/globals';
import { ConfigError } from './config-error.js';
import { gridOf, parseSweep, sampleOf } from './sweep.js';

test('a grid has every combination, with the last axis varying fastest', () => {
  expect(gridOf(parseSweep(['model.optim.lr=1e-5,2e-5', 'nautil.seed=7', 'trainer.max_epochs=1,2']))).toEqual([
    ['nautil.seed=7', 'model.optim.lr=1e-05', 'trainer.max_epochs=1'],
    ['nautil.seed=7', 'model.optim.lr=1e-05', 'trainer.max_epochs=2'],
    ['nautil.seed=7', 'model.optim.lr=2e-05', 'trainer.max_epochs=1'],
    ['nautil.seed=7', 'model.optim.lr=2e-05', 'trainer.max_epochs=2'],
  ]);
});

test('choice() and range() become axes, also for groups', () => {
  expect(gridOf(parseSweep(['data=choice(imdb,sst-2)']))).toEqual([['data=imdb'], ['data=sst-2']]);
  expect(gridOf(parseSweep(['k=range(0.1,0.4,0.1)']))).toEqual([['k=0.1'], ['k=0.2'], ['k=0.3']]);
});

test('a list or a quoted text is one value', () => {
  const { axes, fixed } = parseSweep(['trainer.devices=[0,1]', 'a="x,y"']);
  expect({ axes, fixed }).toEqual({ axes: [], fixed: ['trainer.devices=[0,1]', 'a="x,y"'] });
});

test('a range without values is rejected', () => {
  expect(() => parseSweep(['k=range(3,1)'])).toThrow(ConfigError);
});

test('an interval has no grid', () => {
  expect(() => gridOf(parseSweep(['k=interval(0,1)']))).toThrow('is an interval, which has no grid');
});

test('the same seed gives the same samples, and a larger count appends to them', () => {
  const sweep = parseSweep(['lr=tag(log,interval(1e-5,1e-3))', 'epochs=1,2,3']);
  const few = sampleOf(sweep, 5, 7);
  expect(sampleOf(sweep, 9, 7).slice(0, 5)).toEqual(few);
  expect(sampleOf(sweep, 5, 8)).not.toEqual(few);
});

test('a logarithmic interval is sampled uniformly by magnitude', () => {
  const samples = sampleOf(parseSweep(['lr=tag(log,interval(1e-5,1e-3))']), 400, 1).map(([lr]) => Number(lr?.slice(3)));
  expect(samples.filter((lr) => !(lr >= 1e-5 && lr < 1e-3))).toEqual([]);
  const below = samples.filter((lr) => lr < 1e-4).length;
  expect(below).toBeGreaterThan(150);
  expect(below).toBeLessThan(250);
});
