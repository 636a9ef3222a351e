import { currentTrace, type Tensor } from './tfjs-backend.js';

/** Where a run's random numbers come from; with `site` and a row's index, it decides every mask. */
export interface DropoutDraw {
  /** The run's seed, an integer of 32 bits. */
  readonly seed: number;
  /** int32 scalar: the optimizer steps before this one. */
  readonly step: Tensor;
  /** int32 scalar: the index, within the global batch, of this batch's first row. */
  readonly rowOffset: Tensor;
}

export interface DropoutOptions extends DropoutDraw {
  /** The part of the values that becomes 0, from 0 (nothing is added to the graph) to below 1. */
  readonly rate: number;
  /** Which of the model's dropouts this is, an integer of 32 bits; equal sites of equal rows draw equal masks. */
  readonly site: number;
  /** Rows of the batch that `x` holds, each an equal part of its values; default: the length of its first axis. */
  readonly rows?: number | undefined;
}

const philox = 1; // RNG_ALG_PHILOX of tensorflow/core/framework/rng_alg.h
const drawsPerCounter = 4;

/**
 * Sets a part of `x` to 0 and divides the rest by 1 - rate. The mask of a row follows from (seed, site, step,
 * index of the row in the global batch), so that micro-batches and replicas draw what one device would for the whole batch.
 *
 * Philox gives four numbers for each value of its 128-bit counter. A row takes a whole number of counters, and row r starts at
 * r times that: the low half of the counter counts through the rows, the high half is the step, and the key is (seed, site).
 */
export function dropout(
  x: Tensor,
  { rate, seed, step, site, rowOffset, rows = x.shape[0] ?? 1 }: DropoutOptions,
): Tensor {
  if (rate === 0) return x;
  const { graph } = currentTrace('dropout');
  const rowSize = x.size / rows;
  const rowCounters = Math.ceil(rowSize / drawsPerCounter);
  const padded = rowCounters * drawsPerCounter;
  const int32 = (...values: number[]) => graph.constant('int32', [values.length], values);

  // Random generators read key and counter in the host's memory; made there, a GPU has not to be waited for.
  const { key, counter } = graph.onDevice(hostOf(graph.device), () => {
    const low = graph.op('Mul', [
      graph.op('Cast', [graph.output(rowOffset)], { DstT: 'int64' }),
      graph.constant('int64', [], [rowCounters]),
    ]);
    const high = graph.op('Cast', [graph.output(step)], { DstT: 'int64' });
    return {
      key: graph.constant(
        'uint64',
        [1],
        BigUint64Array.of((BigInt.asUintN(32, BigInt(seed)) << 32n) | BigInt.asUintN(32, BigInt(site))),
      ),
      counter: graph.op('Bitcast', [graph.op('Pack', [[low, high]])], { type: 'uint64' }),
    };
  });
  let uniform = graph.op(
    'StatelessRandomUniformV2',
    [int32(rows, padded), key, counter, graph.constant('int32', [], [philox])],
    {
      dtype: 'float32',
    },
  );
  if (padded !== rowSize) uniform = graph.op('Slice', [uniform, int32(0, 0), int32(rows, rowSize)]);
  const kept = graph.op('GreaterEqual', [uniform, graph.constant('float32', [], [rate])]);
  const scale = graph.op('Mul', [
    graph.op('Cast', [kept], { DstT: 'float32' }),
    graph.constant('float32', [], [1 / (1 - rate)]),
  ]);
  return x.mul(graph.tensor(graph.op('Reshape', [scale, int32(...x.shape)])));
}

/** The CPU beside a device. */
const hostOf = (device: string): string => (device ? device.replace(/GPU:\d+$/i, 'CPU:0') : device);
