import type { Gradient, Step } from './bert-step.js';

/** A connection between neighbours of the ring, in one direction. */
interface Link {
  bytesPerSecond: number;

  /** Of one message. */
  latencySeconds: number;
}

/** What runs the steps: devices of one kind, in nodes of equal size. */
export interface Cluster {
  /** Operations of matmuls per second that a device reaches in a step. */
  flopsPerSecond: number;

  /** Rate at which a device reads and writes its memory in the optimizer's update. */
  memoryBytesPerSecond: number;
  devicesPerNode: number;

  /** Between devices of a node. */
  within: Link;

  /** Between nodes, for the one ring that passes through each node. */
  between: Link;

  /** Gradients are reduced together until a bucket has this size. */
  bucketBytes: number;

  /** Whether buckets are reduced while the backward pass goes on. Not so where both need the same processor. */
  overlaps: boolean;

  /** What each step costs besides, such as assembling the batch. */
  overheadSeconds: number;

  /** In which the processor starts the operations of a layer, while the devices compute those before. No step is shorter than its layers take. */
  dispatchSecondsPerLayer?: number;
}

/** Seconds of a step and of its parts. */
export interface StepTime {
  compute: number;

  /** Of all buckets, whether anything waits for them or not. */
  allReduce: number;

  /** The part of it that follows the backward pass. */
  exposed: number;
  update: number;
  overhead: number;
  total: number;
}

/** Adam reads the weight, two moments and the gradient, and writes all but the gradient: seven float32 numbers. */
export const updateBytesPerParameter = 28;
const bytesPerParameter = 4;

/** The forward pass is a third of the operations. */
const backwardShare = 2 / 3;

/**
 * The time of a synchronous data-parallel step: each device computes its rows, a ring of all devices adds the gradients, and each
 * device updates its copy of the weights.
 *
 * @param step - the work of one device
 */
export function predictStep(step: Step, cluster: Cluster, devices: number): StepTime {
  const compute = step.flops / cluster.flopsPerSecond;
  const gradientBytes = step.gradients.reduce((sum, { bytes }) => sum + bytes, 0);
  const update = ((gradientBytes / bytesPerParameter) * updateBytesPerParameter) / cluster.memoryBytesPerSecond;
  let [allReduce, reducedAt] = [0, 0];
  for (const { bytes, readyAt } of bucketsOf(step.gradients, cluster.bucketBytes)) {
    const readySeconds = cluster.overlaps ? compute * (1 - backwardShare * (1 - readyAt)) : compute;
    const seconds = ringSeconds(bytes, cluster, devices);
    allReduce += seconds;
    reducedAt = Math.max(reducedAt, readySeconds) + seconds; // one bucket after the other
  }
  const exposed = Math.max(0, reducedAt - compute);
  const overhead = cluster.overheadSeconds;
  const total = Math.max((cluster.dispatchSecondsPerLayer ?? 0) * step.layers, overhead + compute + exposed + update);
  return { compute, allReduce, exposed, update, overhead, total };
}

/**
 * Seconds of a ring all-reduce: each device sends 2(n-1) messages of an nth of the bytes. The slowest link of the ring gives the rate; the
 * latency is that of the way of one part of the bytes, which crosses from node to node less often (as in NCCL's own model).
 */
export function ringSeconds(
  bytes: number,
  { devicesPerNode, within, between }: Pick<Cluster, 'devicesPerNode' | 'within' | 'between'>,
  devices: number,
): number {
  const messages = 2 * (devices - 1);
  const crossings = 2 * (Math.ceil(devices / devicesPerNode) - 1);
  const rate = crossings === 0 ? within.bytesPerSecond : Math.min(within.bytesPerSecond, between.bytesPerSecond);
  const latency = (messages - crossings) * within.latencySeconds + crossings * between.latencySeconds;
  return (messages * bytes) / devices / rate + latency;
}

/** Joins gradients, in order, until a bucket has at least `bucketBytes`. A bucket is ready with its last gradient. */
export function bucketsOf(gradients: readonly Gradient[], bucketBytes: number): Gradient[] {
  const buckets: Gradient[] = [];
  let open: Gradient | undefined;
  for (const { bytes, readyAt } of gradients) {
    open = { bytes: (open?.bytes ?? 0) + bytes, readyAt };
    if (open.bytes < bucketBytes) continue;
    buckets.push(open);
    open = undefined;
  }
  return open === undefined ? buckets : [...buckets, open];
}

/** Rows per second of `devices` devices in relation to as many times the rows per second of one. */
export const scalingEfficiency = (one: StepTime, many: StepTime): number => one.total / many.total;
