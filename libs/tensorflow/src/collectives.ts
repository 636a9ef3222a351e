import type { Graph } from './graph.js';
import type { DType } from './host-tensor.js';
import type { Output } from './native.js';

/** Values that a device contributes, float32 or float64, of fixed shapes. */
export interface Contribution {
  device: string;
  values: readonly Output[];
}

/** Identifies a collective operation. Every device that takes part, of whatever process, must name the same. */
export interface CollectiveKey {
  /** Identifies the devices that take part, among the groups of a cluster. */
  group: number;

  /** Number of devices that take part. */
  size: number;

  /** Identifies the operation within the group. */
  instance: number;
}

const defaultBucketBytes = 16 * 2 ** 20;
const floatBytes = 4;

/**
 * Adds TensorFlow's collective all-reduce: the sum of each value over all devices, for each device of this graph. All devices get the
 * same bits.
 *
 * Small values are reduced together, and the last values first: gradients are ready in this order, so that one bucket is reduced while
 * the backward pass computes the next.
 *
 * @param contributions - of this graph's devices, with values of equal shapes. Every other process of the group must add the same.
 * @param key - of the first bucket; those that follow have the next instances
 * @returns the sums on each device, in the order of `values`
 */
export function allReduce(
  graph: Graph,
  contributions: readonly Contribution[],
  key: CollectiveKey,
  o: { bucketBytes?: number } = {},
): Output[][] {
  const shapes = (contributions[0]?.values ?? []).map((value) => graph.shapeOf(value));
  const buckets = bucketsOf(shapes.map(sizeOf), (o.bucketBytes ?? defaultBucketBytes) / floatBytes);
  return contributions.map(({ device, values }) =>
    graph.onDevice(device, () => {
      const sums = new Array<Output>(values.length);
      let previous: Output[] = [];
      for (const [index, bucket] of buckets.entries()) {
        // Each reduction waits for the one before it, because NCCL needs the same order on every device.
        const sum = graph.op(
          'CollectiveReduceV2',
          [flatten(graph, bucket, values), ...keyInputs(graph, { ...key, instance: key.instance + index }), []],
          { merge_op: 'Add', final_op: 'Id' },
          { control: previous },
        );
        previous = [sum];
        for (const [at, part] of split(graph, sum, bucket, shapes)) sums[at] = part;
      }
      return sums;
    }),
  );
}

/**
 * Adds TensorFlow's collective gather: the values of all devices, one after another along the first axis, on the graph's current device.
 */
export function allGather(graph: Graph, value: Output, key: CollectiveKey): Output {
  return graph.op('CollectiveGatherV2', [value, ...keyInputs(graph, key), []]);
}

/**
 * Adds TensorFlow's collective broadcast on the graph's current device.
 *
 * @param value - what this device sends; undefined: it receives
 * @returns the value that one device of the group sends
 */
export function broadcast(
  graph: Graph,
  value: Output | undefined,
  { dtype, shape }: { dtype: DType; shape: readonly number[] },
  key: CollectiveKey,
): Output {
  if (value) return graph.op('CollectiveBcastSendV2', [value, ...keyInputs(graph, key)]);
  return graph.op('CollectiveBcastRecvV2', [...keyInputs(graph, key), graph.constant('int32', [shape.length], shape)], {
    T: dtype,
  });
}

const keyInputs = (graph: Graph, { size, group, instance }: CollectiveKey): Output[] =>
  [size, group, instance].map((value) => graph.constant('int32', [], [value]));

/** Indexes of the values in each bucket, from the last value to the first. A value that is too large for a bucket has one of its own. */
function bucketsOf(sizes: readonly number[], largest: number): number[][] {
  const buckets: number[][] = [];
  let space = 0;
  for (let at = sizes.length - 1; at >= 0; at--) {
    const size = sizes[at]!;
    if (buckets.length === 0 || size > space) {
      buckets.push([]);
      space = largest;
    }
    buckets.at(-1)!.push(at);
    space -= size;
  }
  return buckets;
}

/** The values of a bucket, one after another; a single value as it is. */
function flatten(graph: Graph, bucket: readonly number[], values: readonly Output[]): Output {
  if (bucket.length === 1) return values[bucket[0]!]!;
  const flat = bucket.map((at) => graph.op('Reshape', [values[at]!, graph.shapeVector([-1])]));
  return graph.op('ConcatV2', [flat, graph.constant('int32', [], [0])]);
}

/** The values that `flatten` joined, in their shapes, by their indexes. */
function split(
  graph: Graph,
  joined: Output,
  bucket: readonly number[],
  shapes: readonly (readonly number[])[],
): [number, Output][] {
  if (bucket.length === 1) return [[bucket[0]!, joined]];
  const sizes = bucket.map((at) => sizeOf(shapes[at]!));
  const parts = graph.ops(
    'SplitV',
    [joined, graph.constant('int32', [sizes.length], sizes), graph.constant('int32', [], [0])],
    { num_split: bucket.length },
  );
  return bucket.map((at, i) => [at, graph.op('Reshape', [parts[i]!, graph.shapeVector(shapes[at]!)])]);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);
