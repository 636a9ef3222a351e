import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { closedLoop, figuresOf, increaseLoad, percentile } from './closed-loop.js';

test('each caller has one call at a time, and calls again until the time is over', async () => {
  const running = new Set<number>();
  let twice = 0;
  const { latencies, failures, rate } = await closedLoop({
    callers: 3,
    seconds: 0.2,
    work: async (caller) => {
      if (running.has(caller)) twice++;
      running.add(caller);
      await sleep(20);
      running.delete(caller);
    },
  });
  expect(twice).toBe(0);
  expect(latencies.length).toBeGreaterThanOrEqual(6);
  expect(Math.min(...latencies)).toBeGreaterThan(15);
  expect(failures).toBe(0);
  expect(rate).toBeGreaterThan(10);
});

test('a call that fails is counted, and does not increase the rate', async () => {
  const { latencies, failures, rate } = await closedLoop({
    callers: 1,
    seconds: 0.01,
    work: async () => {
      throw new Error('refused');
    },
  });
  expect(latencies).toHaveLength(1);
  expect(failures).toBe(1);
  expect(rate).toBe(0);
});

test('a percentile is the smallest value that the share of the values does not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect(percentile(hundred, 0.5)).toBe(50);
  expect(percentile(hundred, 0.99)).toBe(99);
  expect(percentile([7], 0.99)).toBe(7);
  expect(percentile([], 0.5)).toBeNaN();
});

test('the load increases up to the first that is too heavy', async () => {
  const measured = await increaseLoad(
    [1, 2, 4, 8],
    async (load) => load * 10,
    (value) => value >= 20,
  );
  expect(measured).toEqual([10, 20]);
});

test('rows become lists by name, without the row of a load under which nothing succeeded', () => {
  const rows = [
    { load: 1, p99: 5 },
    { load: 2, p99: 6 },
    { load: 4, p99: NaN },
  ];
  expect(figuresOf('runs', rows)).toEqual({ 'runs.load': [1, 2], 'runs.p99': [5, 6] });
});
