import { growthChart } from '../charts.js';
import { conditionsOf, markdownRow } from '../load-table.js';
import { rounded } from '../report.js';
import { bertBase, bertLarge, type BertSizes, bertStep, parametersOf } from './bert-step.js';
import { clusterOf, type GrpcRate, type Input, type PlannedCluster, plannedClusters } from './clusters.js';
import { type DeviceScaling, measuredBatch } from './device-scaling.js';
import { type Cluster, predictStep, scalingEfficiency, type StepTime } from './step-time.js';

const plannedModels: { name: string; title: string; sizes: BertSizes }[] = [
  { name: 'bert-base', title: 'BERT-base', sizes: bertBase },
  { name: 'bert-large', title: 'BERT-large', sizes: bertLarge },
];
const plannedDevices = [1, 2, 4, 8, 16, 32, 64];
const plannedBatch = { rows: 32, length: 128 };

const predictAll = (sizes: BertSizes, cluster: Cluster): StepTime[] =>
  plannedDevices.map((devices) => predictStep(bertStep(sizes, plannedBatch), cluster, devices));

const samplesPerSecond = (devices: number, { total }: StepTime): number => (devices * plannedBatch.rows) / total;

/** The plots of the predictions, by file name. */
export function planningCharts(grpc: GrpcRate | undefined): Record<string, string> {
  return Object.fromEntries(
    plannedModels.map(({ name, title, sizes }) => {
      const curves = plannedClusters(grpc).map((planned) => ({
        title: planned.title,
        unit: 'samples/s',
        points: predictAll(sizes, clusterOf(planned)).map((step, at) => {
          const size = plannedDevices[at] ?? NaN;
          return { size, value: samplesPerSecond(size, step) };
        }),
      }));
      const chart = growthChart(`${title}: predicted samples/s on 1 to 64 GPUs`, curves);
      return [`planning-${name}.svg`, chart];
    }),
  );
}

/** The section of docs/scaling.md about several devices: the model, its predictions, and the measurements that it explains. */
export function planningMarkdown(scaling: DeviceScaling | undefined): string[] {
  const clusters = plannedClusters(scaling?.grpc);
  return [
    '## Several GPUs and machines: a model',
    '',
    'A step of synchronous data parallelism takes',
    '',
    '```text',
    'step       = overhead + compute + exposed all-reduce + update, but at least layers · dispatch of a layer',
    'compute    = 3 · operations of the forward pass’s matmuls / (peak rate · share that is reached)',
    'all-reduce = 2 (n-1) · (bytes / n / rate of the slowest link + latency), for each bucket, n devices and a ring',
    'update     = 28 bytes · parameters / rate of the memory (Adam reads four numbers and writes three)',
    '```',
    '',
    'The matmuls are counted: queries, keys and values, scores, weighted values, projection and the two of the feed-forward, in each layer; the last layer has one query for each row, because the classifier reads the first token only. The backward pass has twice the operations of the forward pass. Gradients are float32. A bucket is reduced when its last gradient exists and the bucket before it is reduced; what ends after the backward pass is exposed. The embeddings, whose gradients exist last, are never hidden. In a ring that leaves a node, all links are as slow as those between nodes; of the latencies of the 2 (n-1) messages, two for each further node are those of the network. Of many GPUs, NCCL may reduce in a tree, whose latency is lower. `tools/benchmark/src/planning` has the model.',
    '',
    ...inputTable(clusters),
    ...plannedModels.flatMap((model) => predictionSection(model, clusters)),
    ...sensitivitySection(clusters),
    ...(scaling === undefined ? [] : measuredSection(scaling)),
  ];
}

function inputTable(clusters: readonly PlannedCluster[]): string[] {
  const inputs = new Map<string, Input>();
  for (const cluster of clusters) for (const input of Object.values(cluster.inputs)) inputs.set(input.title, input);
  return [
    markdownRow(['input', 'value', 'basis', 'source']),
    markdownRow(['---', '---:', '---', '---']),
    ...[...inputs.values()].map(({ title, value, unit, basis, source }) =>
      markdownRow([title, `${rounded(value)} ${unit}`, basis, source]),
    ),
    '',
    'Two inputs were measured on one H200, none on several GPUs. The predictions show which link limits a cluster; measure one node before you buy many.',
    '',
  ];
}

function predictionSection(
  { name, title, sizes }: (typeof plannedModels)[number],
  clusters: readonly PlannedCluster[],
): string[] {
  const { rows, length } = plannedBatch;
  const step = bertStep(sizes, plannedBatch);
  return [
    `### Prediction for ${title}`,
    '',
    `${(parametersOf(sizes) / 1e6).toFixed(1)} million parameters, so ${rounded((4 * parametersOf(sizes)) / 1e6)} MB of gradients; ${rows} rows of ${length} tokens on each GPU, ${rounded(step.flops / 1e12)} TFLOP a step.`,
    '',
    markdownRow(['GPUs', ...plannedDevices.map(String)]),
    markdownRow(['---', ...plannedDevices.map(() => '---:')]),
    ...clusters.flatMap((planned) => {
      const steps = predictAll(sizes, clusterOf(planned));
      const line = (what: string, of: (step: StepTime, devices: number) => string): string =>
        markdownRow([`${planned.title}: ${what}`, ...steps.map((each, at) => of(each, plannedDevices[at] ?? NaN))]);
      return [
        line('step, ms', ({ total }) => rounded(total * 1000)),
        line('of it exposed all-reduce, ms', ({ exposed }) => rounded(exposed * 1000)),
        line('samples/s', (each, devices) => Math.round(samplesPerSecond(devices, each)).toLocaleString('en-US')),
        line('efficiency, %', (each) => percent(scalingEfficiency(steps[0] ?? each, each))),
      ];
    }),
    '',
    `![prediction](benchmarks/planning-${name}.svg)`,
    '',
  ];
}

const variants: { title: string; change: (cluster: Cluster) => Cluster }[] = [
  { title: 'as above', change: (cluster) => cluster },
  { title: 'matmuls half as fast', change: (cluster) => ({ ...cluster, flopsPerSecond: cluster.flopsPerSecond / 2 }) },
  {
    title: 'links between nodes half as fast',
    change: (cluster) => ({
      ...cluster,
      between: { ...cluster.between, bytesPerSecond: cluster.between.bytesPerSecond / 2 },
    }),
  },
  {
    title: 'no latency',
    change: (cluster) => ({
      ...cluster,
      within: { ...cluster.within, latencySeconds: 0 },
      between: { ...cluster.between, latencySeconds: 0 },
    }),
  },
  { title: 'no overlap with the backward pass', change: (cluster) => ({ ...cluster, overlaps: false }) },
];

/** How far the efficiency depends on what is assumed. */
function sensitivitySection(clusters: readonly PlannedCluster[]): string[] {
  const devices = plannedDevices.at(-1) ?? 1;
  const work = bertStep(bertBase, plannedBatch);
  return [
    `### Efficiency of BERT-base on ${devices} GPUs if an input is wrong, %`,
    '',
    markdownRow(['', ...clusters.map(({ title }) => title)]),
    markdownRow(['---', ...clusters.map(() => '---:')]),
    ...variants.map(({ title, change }) => {
      const cells = clusters.map((planned) => {
        const cluster = change(clusterOf(planned));
        return percent(scalingEfficiency(predictStep(work, cluster, 1), predictStep(work, cluster, devices)));
      });
      return markdownRow([title, ...cells]);
    }),
    '',
    'With gradients accumulated over k batches (`trainer.accumulate_grad_batches=k`), a step has one all-reduce and one update, and they follow the last backward pass, which hides none of them. For each sample, both are divided by k, but all of the all-reduce is exposed.',
    '',
  ];
}

function measuredSection({ matmulFlops, matmulShare, updateRate, steps, conditions }: DeviceScaling): string[] {
  const { rows, length } = measuredBatch;
  return [
    '### Measured on several devices of one processor',
    '',
    `Logical devices of one processor share its cores, so more of them make no step faster; they show whether the model accounts for the work that they add. Times are processor time of all threads and processes, which other programs change less than the time by the clock. Each step trains MiniLM-L6 on the same ${rows} rows of ${length} tokens, divided among the devices.`,
    '',
    markdownRow([
      'processes',
      'devices of each',
      'step, ms',
      'predicted',
      'deviation',
      'all-reduce alone, ms',
      'predicted',
    ]),
    markdownRow(['---:', '---:', '---:', '---:', '---:', '---:', '---:']),
    ...steps.map(({ devices, processes, step, predictedStep, allReduce, predictedAllReduce }) =>
      markdownRow([
        ...[processes, devices].map(String),
        rounded(step),
        predictedStep === undefined ? '–' : rounded(predictedStep),
        predictedStep === undefined ? '–' : deviation(step, predictedStep),
        devices * processes === 1 ? '–' : rounded(allReduce),
        predictedAllReduce === undefined ? '–' : rounded(predictedAllReduce),
      ]),
    ),
    '',
    `The inputs are measured in the same minutes: on one processor, matmuls of these shapes reach ${rounded(matmulFlops / 1e9)} GFLOP/s, of which the step of one device reaches ${percent(matmulShare)} % beside its update; Adam’s update of all weights moves ${rounded(updateRate / 1e9)} GB/s. The rate of the links is that of the all-reduce of two members. All devices share these rates, and nothing overlaps. A positive deviation is a step that takes longer than predicted. Each time is the least of several. ${conditionsOf(conditions)}`,
    '',
  ];
}

const percent = (share: number): string => (100 * share).toFixed(0);

const deviation = (measured: number, predicted: number): string => {
  const share = measured / predicted - 1;
  return `${share < 0 ? '−' : '+'}${percent(Math.abs(share))} %`;
};
