import type { Tensor } from './tfjs-types.js';
import { currentTrace, differentiable } from './trace.js';

/** The random state of a step. Together with `site` and a row's index, it determines every mask. */
export interface DropoutDraw {
  /** The run's seed, an integer of 32 bits. */
  readonly seed: number;
  /** int32 scalar: the number of optimizer steps before this one. */
  readonly step: Tensor;
  /** int32 scalar: the index within the whole batch of this micro-batch's first row. */
  readonly rowOffset: Tensor;
}

export interface DropoutOptions extends DropoutDraw {
  /** Probability that a value becomes 0, in [0, 1). Below 2⁻¹⁷, nothing is added to the graph. */
  readonly rate: number;
  /** Identifies this dropout within the model, an integer of 32 bits. Equal sites draw equal masks for equal rows. */
  readonly site: number;
  /** Number of batch rows in `x`, each an equal share of its values; default: the length of its first axis. */
  readonly rows?: number | undefined;
}

const philox = 1; // RNG_ALG_PHILOX of tensorflow/core/framework/rng_alg.h
const wordsPerCounter = 4; // of 32 bits
const drawsPerWord = 2;
const draws = 2 ** 16;

/**
 * Sets values of `x` to 0 at random and divides the rest by 1 - rate. A row's mask is a function of (seed, site, step, index
 * of the row in the whole batch), so micro-batches draw the same masks as the whole batch.
 *
 * A value is compared with 16 random bits, so the rate is rounded to a multiple of 2⁻¹⁶: drawing the numbers is the most
 * expensive part of dropout, and 16 bits cost half of 32. Philox produces eight such numbers per value of its 128-bit counter.
 * Each row uses a whole number of counter values, and row r starts at r times that number. The low half of the counter counts
 * through the rows, the high half is the step, and the key is (seed, site).
 */
export function dropout(
  x: Tensor,
  { rate, seed, step, site, rowOffset, rows = x.rank === 0 ? 1 : x.shape[0] }: DropoutOptions,
): Tensor {
  const dropped = Math.min(Math.round(rate * draws), draws - 1); // of each 65,536 draws
  if (dropped === 0) return x;
  const { graph, tensor, output } = currentTrace('dropout()');
  const rowSize = x.size / rows;
  const rowCounters = Math.ceil(rowSize / (wordsPerCounter * drawsPerWord));
  const int32 = (...values: number[]) => graph.constant('int32', [values.length], values);

  // The random generator reads key and counter from host memory. Computing them there avoids waiting for a GPU.
  const { key, counter } = graph.onDevice(hostOf(graph.device), () => {
    const low = graph.op('Mul', [
      graph.op('Cast', [output(rowOffset)], { DstT: 'int64' }),
      graph.constant('int64', [], [rowCounters]),
    ]);
    const high = graph.op('Cast', [output(step)], { DstT: 'int64' });
    return {
      key: graph.constant(
        'uint64',
        [1],
        BigUint64Array.of((BigInt.asUintN(32, BigInt(seed)) << 32n) | BigInt.asUintN(32, BigInt(site))),
      ),
      counter: graph.op('Bitcast', [graph.op('Pack', [[low, high]])], { type: 'uint64' }),
    };
  });
  const words = graph.op(
    'StatelessRandomUniformFullIntV2',
    [int32(rows, rowCounters * wordsPerCounter), key, counter, graph.constant('int32', [], [philox])],
    { dtype: 'uint32' },
  );
  const padded = rowCounters * wordsPerCounter * drawsPerWord;
  let drawn = graph.op('Reshape', [graph.op('Bitcast', [words], { type: 'int16' }), int32(rows, padded)]);
  if (padded !== rowSize) drawn = graph.op('Slice', [drawn, int32(0, 0), int32(rows, rowSize)]);
  const isKept = graph.op('GreaterEqual', [drawn, graph.constant('int16', [], [dropped - draws / 2])]);
  const scale = graph.op('Mul', [
    graph.op('Cast', [isKept], { DstT: 'float32' }),
    graph.constant('float32', [], [draws / (draws - dropped)]),
  ]);
  const mask = tensor(graph.op('Reshape', [scale, int32(...x.shape)]));
  return differentiable(
    [x],
    (save) => {
      save(mask);
      return x.mul(mask);
    },
    (dy, [kept]) => [dy.mul(kept!)],
  );
}

/** The CPU of the machine that has the device. */
const hostOf = (device: string): string => (device ? device.replace(/GPU:\d+$/i, 'CPU:0') : device);
