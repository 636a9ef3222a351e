import { expect, test } from '@jest/globals';
import { Speedometer } from './speedometer.js';

/** What a speedometer shows after each of these steps, of which each has 8 examples. */
function after(seconds: readonly number[]): { secondsPerStep: number; examplesPerSecond: number }[] {
  let ms = 1e9;
  const speed = new Speedometer(() => ms);
  return seconds.map((each) => {
    ms += each * 1000;
    const { secondsPerStep, examplesPerSecond } = speed.after(8, 80);
    return { secondsPerStep, examplesPerSecond };
  });
}

test('the time of a step is not known after the first one, which traces the graph', () => {
  const [first, second] = after([20, 0.1]);
  expect(first).toEqual({ secondsPerStep: NaN, examplesPerSecond: 0.4 });
  expect(second!.secondsPerStep).toBeCloseTo(0.1, 6);
});

test('later steps that trace a graph do not change the time of a step', () => {
  const [last] = after([20, 0.1, 4, 0.1, 0.2, 3, 0.1]).slice(-1);
  expect(last!.secondsPerStep).toBeCloseTo(0.125, 6);
});

test('the time of a step is that of recent ones', () => {
  const slowThenFast = [...Array<number>(60).fill(2), ...Array<number>(60).fill(1)];
  expect(after(slowThenFast).at(-1)!.secondsPerStep).toBeCloseTo(1, 6);
});

test('work between steps is not part of them', () => {
  let ms = 0;
  const speed = new Speedometer(() => ms);
  for (const pause of [0, 5000, 7000]) {
    ms += pause;
    speed.restart();
    ms += 500;
    expect(speed.after(8, 80).examplesPerSecond).toBeCloseTo(16, 6);
  }
});
