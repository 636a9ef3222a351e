import { expect, test } from '@jest/globals';
import type { RowSpec } from './experiment.js';
import type { Measured } from './measure.js';
import { median, rowOf } from './row.js';

const runs = (values: number[] | undefined, problem?: string): Measured['ours'] => ({
  figures: values ? { figure: values } : {},
  notes: [],
  ...(problem === undefined ? {} : { problem }),
});

const row = (spec: Partial<RowSpec>, ours?: number[], peer?: number[]) =>
  rowOf(
    'experiment',
    { name: 'row', figure: 'figure', unit: 's', ratioOf: 'speed', ...spec },
    { ours: runs(ours), peer: runs(peer) },
  );

test('the ratio of times is the peer’s best time by our best time', () => {
  expect(row({}, [5, 2, 3], [9, 6, 7]).ratio).toBe(3);
});

test('the ratio of sizes is our smallest by the peer’s smallest', () => {
  expect(row({ ratioOf: 'size' }, [5, 3], [6, 9]).ratio).toBe(0.5);
});

test('the ratio of scores is our mean by the peer’s mean', () => {
  expect(row({ ratioOf: 'score' }, [0.75, 1.25], [0.5, 0.5]).ratio).toBe(2);
});

test.each([
  [{ ratioAtLeast: 3 }, [2], [6], true],
  [{ ratioAtLeast: 3.01 }, [2], [6], false],
  [{ ratioAtMost: 0.5 }, [6], [3], true],
  [{ ratioAtMost: 0.5 }, [5], [3], false],
  [{ oursAtMost: 4 }, [5, 4], [], true],
  [{ oursAtMost: 4 }, [4.1], [], false],
  [{ ratioAtLeast: 2, oursAtMost: 45 }, [46], [100], false],
  [{ ratioAtLeast: 2, oursAtMost: 45 }, [44], [80], false],
  [{ ratioAtLeast: 2, oursAtMost: 45 }, [44], [90], true],
])('a row with the target %j, our values %j and the peer’s %j: met is %j', (target, ours, peer, met) => {
  expect(row({ target }, ours, peer).met).toBe(met);
});

test('scores are within noise when ours is at most two standard errors below the peer’s', () => {
  const isMet = (ours: number[], peer: number[]): boolean | null =>
    row({ ratioOf: 'score', target: { withinNoise: true } }, ours, peer).met;
  expect(isMet([0.9, 0.91, 0.92], [0.91, 0.915, 0.92])).toBe(true);
  expect(isMet([0.8, 0.81, 0.82], [0.91, 0.915, 0.92])).toBe(false);
  expect(isMet([0.99, 0.99, 0.99], [0.91, 0.915, 0.92])).toBe(true);
});

test('a target is not met, and the ratio unknown, when a side has no values', () => {
  const withoutPeer = rowOf(
    'experiment',
    { name: 'row', figure: 'figure', unit: 's', ratioOf: 'speed', target: { ratioAtLeast: 1 } },
    { ours: runs([1]), peer: runs(undefined, 'exit code 1: No module named torch') },
  );
  expect(withoutPeer).toMatchObject({
    ratio: null,
    met: false,
    notes: ['the peer failed: exit code 1: No module named torch'],
  });
});

test('a row without a target is neither met nor missed', () => {
  expect(row({}, [1], [2])).toMatchObject({ target: null, met: null });
});

test('the median of an even number of values is between the middle ones', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 10])]).toEqual([2, 3]);
});

test.each([
  [{ ratioAtLeast: 1 }, undefined, [1], ['ours measured no figure "figure"']],
  [{ ratioAtMost: 1 }, [1], undefined, ['the peer measured no figure "figure"']],
  [{ oursAtMost: 1 }, [1], undefined, []],
  [undefined, undefined, undefined, ['ours measured no figure "figure"']],
] as const)(
  'a row with the target %j that lacks values has the reason: ours %j, the peer %j',
  (target, ours, peer, notes) => {
    const found = row({ ...(target && { target }) }, ours && [...ours], peer && [...peer]);
    expect(found.notes).toEqual(notes);
  },
);
