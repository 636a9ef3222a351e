import { describe, expect, test } from '@jest/globals';
import { bucketsOf, type Cluster, predictStep, ringSeconds, scalingEfficiency } from './step-time.js';

const cluster: Cluster = {
  flopsPerSecond: 100,
  memoryBytesPerSecond: 7,
  devicesPerNode: 4,
  within: { bytesPerSecond: 8, latencySeconds: 0.5 },
  between: { bytesPerSecond: 2, latencySeconds: 1 },
  bucketBytes: 1,
  overlaps: true,
  overheadSeconds: 0.25,
};

/** One second of forward pass, and two of backward pass. */
const flops = 300;

describe('a ring all-reduce', () => {
  test('sends 2(n-1)/n of the bytes, and 2(n-1) messages, over the links of a node', () => {
    expect(ringSeconds(64, cluster, 2)).toBe((2 * 32) / 8 + 2 * 0.5);
    expect(ringSeconds(64, cluster, 4)).toBe((6 * 16) / 8 + 6 * 0.5);
  });

  test('through several nodes has the rate of the slowest link, and crosses between nodes on two of its ways', () => {
    expect(ringSeconds(64, cluster, 8)).toBe((14 * 8) / 2 + 12 * 0.5 + 2 * 1);
  });

  test('of one device costs nothing', () => {
    expect(ringSeconds(64, cluster, 1)).toBe(0);
  });
});

describe('a step', () => {
  test('of one device is overhead, compute and update', () => {
    const step = predictStep({ layers: 2, flops, gradients: [{ bytes: 4, readyAt: 1 }] }, cluster, 1);
    expect(step).toEqual({ compute: 3, allReduce: 0, exposed: 0, update: 4, overhead: 0.25, total: 7.25 });
  });

  test('is no shorter than the processor needs to start its operations', () => {
    const work = { layers: 2, flops, gradients: [{ bytes: 4, readyAt: 1 }] };
    expect(predictStep(work, { ...cluster, dispatchSecondsPerLayer: 3.5 }, 1).total).toBe(7.25);
    expect(predictStep(work, { ...cluster, dispatchSecondsPerLayer: 4 }, 1).total).toBe(8);
  });

  test('hides the reduction of a gradient that is ready early behind the rest of the backward pass', () => {
    // It is ready after 1.5 s, and reduced 1.5 s later.
    const step = predictStep({ layers: 2, flops, gradients: [{ bytes: 4, readyAt: 0.25 }] }, cluster, 2);
    expect(step.allReduce).toBe(1.5);
    expect(step.exposed).toBeCloseTo(0);
  });

  test('waits for the reduction of the last gradient', () => {
    const step = predictStep({ layers: 2, flops, gradients: [{ bytes: 4, readyAt: 1 }] }, cluster, 2);
    expect(step.exposed).toBe(1.5);
    expect(step.total).toBe(0.25 + 3 + 1.5 + 4);
  });

  test('reduces one bucket after the other', () => {
    const gradients = [0.25, 0.25, 0.25].map((readyAt) => ({ bytes: 4, readyAt }));
    expect(predictStep({ layers: 2, flops, gradients }, cluster, 2).exposed).toBeCloseTo(3);
  });

  test('waits for all reductions where they do not overlap with the backward pass', () => {
    const gradients = [{ bytes: 4, readyAt: 0 }];
    const { exposed, allReduce } = predictStep({ layers: 2, flops, gradients }, { ...cluster, overlaps: false }, 2);
    expect(exposed).toBe(allReduce);
  });
});

test('small gradients share a bucket, which is ready with the last of them', () => {
  const gradients = [
    { bytes: 1, readyAt: 0.1 },
    { bytes: 3, readyAt: 0.2 },
    { bytes: 9, readyAt: 0.5 },
    { bytes: 1, readyAt: 1 },
  ];
  expect(bucketsOf(gradients, 4)).toEqual([
    { bytes: 4, readyAt: 0.2 },
    { bytes: 9, readyAt: 0.5 },
    { bytes: 1, readyAt: 1 },
  ]);
});

test('efficiency is 1 when a step with more devices takes no longer', () => {
  const step = predictStep({ layers: 2, flops, gradients: [] }, cluster, 1);
  expect(scalingEfficiency(step, step)).toBe(1);
  expect(scalingEfficiency(step, { ...step, total: 2 * step.total })).toBe(0.5);
});
