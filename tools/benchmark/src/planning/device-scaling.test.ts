import { expect, test } from '@jest/globals';
import type { LoadTable } from '../load-table.js';
import { bertStep } from './bert-step.js';
import { explainDevices, gradientBytes, measuredBatch, measuredSizes } from './device-scaling.js';

const table = (prefix: string, rows: Record<string, number>[]): LoadTable => ({
  ...{ axis: 'devices', name: 'table', notes: [], recordedAt: '2026-01-02T03:04:05.000Z', loadBefore: 0 },
  columns: Object.keys(rows[0] ?? {}).map((name) => ({ figure: `${prefix}.${name}`, title: name, unit: '' })),
  rows: rows.map((row) => Object.values(row)),
});

const flops = bertStep(measuredSizes, measuredBatch).flops;
const megabytes = gradientBytes / 1e6;

/** A machine that reaches half of its matmuls' rate, 100 GFLOP/s, and updates all weights in 20 ms. */
const rates = table('rates', [{ matmul: 100, update: 20 }]);
const computeMs = flops / 50e6;
const rows = [
  { devices: 1, processes: 1, step: computeMs + 20, allReduce: 0, smallAllReduce: 0, wall: 0, smallWall: 0 },
  { devices: 2, processes: 1, step: computeMs + 40 + 102, allReduce: 102, smallAllReduce: 2, wall: 60, smallWall: 1 },
  { devices: 3, processes: 1, step: 1000, allReduce: 500, smallAllReduce: 3, wall: 90, smallWall: 1 },
  { devices: 1, processes: 2, step: 1000, allReduce: 300, smallAllReduce: 9, wall: 204, smallWall: 4 },
];

test('the step of one device gives the share of the matmuls’ rate', () => {
  const scaling = explainDevices(rates, table('devices', rows));
  expect(scaling?.matmulShare).toBeCloseTo(0.5, 6);
  expect(scaling?.steps[0]).not.toHaveProperty('predictedStep');
});

test('each of several devices computes its part, and updates all weights after the reduction', () => {
  const step = explainDevices(rates, table('devices', rows))?.steps[1];
  expect(step?.predictedStep).toBeCloseTo(computeMs + 40 + 102, 6);
  expect(step).not.toHaveProperty('predictedAllReduce');
});

test('the reduction of three devices is predicted from that of two, which had more of the machine each', () => {
  // Each of three sends 4/3 of the bytes rather than 1, at two thirds of the rate, and four messages rather than two.
  expect(explainDevices(rates, table('devices', rows))?.steps[2]?.predictedAllReduce).toBeCloseTo(
    (100 * (4 / 3)) / (2 / 3) + 4,
    6,
  );
});

test('the rate of gRPC is that of the all-reduce between two processes', () => {
  const { grpc } = explainDevices(rates, table('devices', rows)) ?? {};
  expect(grpc?.bytesPerSecond).toBeCloseTo((megabytes * 1e6) / 0.2, 0);
  expect(grpc?.latencySeconds).toBeCloseTo(0.002, 9);
  expect(explainDevices(rates, table('devices', rows.slice(0, 3)))?.grpc).toBeUndefined();
});

test('nothing is explained without the step of one device', () => {
  expect(explainDevices(rates, table('devices', rows.slice(1)))).toBeUndefined();
});
