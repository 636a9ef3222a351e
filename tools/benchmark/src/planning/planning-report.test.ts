import { describe, expect, test } from '@jest/globals';
import { bertBase, bertStep } from './bert-step.js';
import { clusterOf, plannedClusters } from './clusters.js';
import type { DeviceScaling } from './device-scaling.js';
import { planningCharts, planningMarkdown } from './planning-report.js';
import { predictStep } from './step-time.js';

const grpc = { bytesPerSecond: 1e9, latencySeconds: 1e-3 };
const rowsOf = (lines: readonly string[], start: string): string[][] =>
  lines
    .filter((line) => line.startsWith(`| ${start}`))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(2, -1),
    );

const scaling: DeviceScaling = {
  matmulFlops: 2e11,
  matmulShare: 0.8,
  updateRate: 2e10,
  grpc,
  conditions: { recordedAt: '2026-01-02T03:04:05.000Z', loadBefore: 2 },
  steps: [
    { devices: 1, processes: 1, step: 400, allReduce: 0 },
    { devices: 2, processes: 1, step: 550, predictedStep: 500, allReduce: 50 },
    { devices: 3, processes: 1, step: 540, predictedStep: 600, allReduce: 80, predictedAllReduce: 100 },
  ],
};

describe('the prediction', () => {
  const page = planningMarkdown(undefined);

  test('has the samples of each number of GPUs, and the efficiency in relation to one', () => {
    const [cluster] = plannedClusters(undefined);
    const [base] = rowsOf(page, 'NVLink, InfiniBand: samples/s');
    const step = predictStep(bertStep(bertBase, { rows: 32, length: 128 }), clusterOf(cluster!), 64);
    expect(base).toHaveLength(7);
    expect(base?.at(-1)).toBe(Math.round((64 * 32) / step.total).toLocaleString('en-US'));
    for (const efficiency of rowsOf(page, 'NVLink, InfiniBand: efficiency')) {
      expect(efficiency[0]).toBe('100');
      expect(Number(efficiency.at(-1))).toBeGreaterThan(50);
    }
  });

  test('exposes nothing on one GPU, and more over Ethernet than over InfiniBand', () => {
    const exposed = (cluster: string) => rowsOf(page, `${cluster}: of it exposed`)[0]?.map(Number) ?? [];
    expect(exposed('NVLink, InfiniBand')[0]).toBe(0);
    expect(exposed('PCIe, Ethernet, NCCL').at(-1)).toBeGreaterThan(exposed('NVLink, InfiniBand').at(-1) ?? NaN);
  });

  test('labels each input as assumed with a source, as measured with the command, or as by design', () => {
    const labels = (lines: readonly string[]) =>
      lines
        .filter((line) => / (assumed|measured|by design) \| \S/.test(line))
        .map((line) => line.split('|')[3]?.trim());
    expect(new Set(labels(page))).toEqual(new Set(['assumed', 'by design', 'measured']));
    const measured = planningMarkdown(scaling);
    expect(labels(measured).filter((label) => label === 'measured')).toHaveLength(
      labels(page).filter((label) => label === 'measured').length + 2,
    );
    expect(measured.join('\n')).toContain('npx nx run benchmark:scaling -- --only devices');
  });

  test('has a cluster with gRPC only if gRPC was measured', () => {
    expect(page.join('\n')).not.toContain('PCIe, Ethernet, gRPC');
    expect(rowsOf(planningMarkdown(scaling), 'PCIe, Ethernet, gRPC: step')).toHaveLength(2);
  });

  test('has a plot of each model', () => {
    const charts = planningCharts(undefined);
    expect(Object.keys(charts)).toEqual(['planning-bert-base.svg', 'planning-bert-large.svg']);
    expect(charts['planning-bert-base.svg']).toMatch(/^<svg .*BERT-base: predicted.*<\/svg>\n$/s);
    for (const name of Object.keys(charts)) expect(page.join('\n')).toContain(`(benchmarks/${name})`);
  });
});

test('the rate of gRPC is used as it was measured, and no link is faster than the network card', () => {
  const between = (bytesPerSecond: number) => {
    const cluster = plannedClusters({ ...grpc, bytesPerSecond }).at(-1);
    return clusterOf(cluster!).between.bytesPerSecond;
  };
  expect(between(1e9)).toBeCloseTo(1e9, 0);
  expect(between(1e12)).toBeCloseTo(0.8 * 12.5e9, 0);
});

test('each measured step has the prediction and the deviation from it, but the one that calibrates the model', () => {
  const page = planningMarkdown(scaling);
  expect(page).toContain('| 1 | 1 | 400 | – | – | – | – |');
  expect(page).toContain('| 1 | 2 | 550 | 500 | +10 % | 50.0 | – |');
  expect(page).toContain('| 1 | 3 | 540 | 600 | −10 % | 80.0 | 100 |');
});
