import { hostOf } from './graph.js';
import type { Output } from './native.js';
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
const drawsPerCounter = 16; // of 8 bits
const draws = 2 ** 16;
const byte = 2 ** 8;

/**
 * Sets values of `x` to 0 at random and divides the rest by 1 - rate. A row's mask is a function of (seed, site, step, index
 * of the row in the whole batch), so micro-batches draw the same masks as the whole batch.
 *
 * The rate is rounded to a multiple of 2⁻¹⁶, but a value is compared with 8 random bits only: drawing the numbers is the most
 * expensive part of dropout. The 8 bits that are missing are drawn once for each step and site: they decide whether the bound
 * that all values are compared with is rounded down or up, so that each value is dropped with exactly the rate. Philox produces
 * 16 such numbers per value of its 128-bit counter. Each row uses a whole number of counter values, and row r starts at r times
 * that number. The low half of the counter counts through the rows, the high half is the step, and the key is (seed, site). The
 * bound is drawn from the last value of the low half.
 */
export function dropout(
  x: Tensor,
  { rate, seed, step, site, rowOffset, rows = x.rank === 0 ? 1 : x.shape[0] }: DropoutOptions,
): Tensor {
  const dropped = Math.min(Math.round(rate * draws), draws - byte); // of each 65,536 draws
  if (dropped === 0) return x;
  const { graph, tensor, output } = currentTrace('dropout()');
  const rowSize = x.size / rows;
  const int64 = (value: Output): Output => graph.op('Cast', [value], { DstT: 'int64' });

  const bytesFrom = (counter: Output, shape: Output): Output => {
    const words = graph.op(
      'StatelessRandomUniformFullIntV2',
      [shape, key, counter, graph.constant('int32', [], [philox])],
      { dtype: 'uint32' },
    );
    return graph.op('Bitcast', [words], { type: 'int8' });
  };
  const int8 = (value: number): Output => graph.constant('int8', [], [value]);

  const host = hostOf(graph.device);
  const key = graph.onDevice(host, () =>
    graph.constant(
      'uint64',
      [1],
      BigUint64Array.of((BigInt.asUintN(32, BigInt(seed)) << 32n) | BigInt.asUintN(32, BigInt(site))),
    ),
  );
  // The random generator reads key, counter and shape from host memory. Computing them there avoids waiting for a GPU.
  const { counter, bound, shapeOfWords, shapeOfDraws } = graph.onDevice(host, () => {
    const rowCounters = graph.quotientOf(rowSize, drawsPerCounter);
    const shapeWith = (perCounter: number): Output =>
      graph.op('Pack', [[graph.sizeOf(rows), graph.op('Mul', [rowCounters, graph.sizeOf(perCounter)])]]);
    const low = graph.op('Mul', [int64(output(rowOffset)), int64(rowCounters)]);
    const high = int64(output(step));
    const counterOf = (...halves: [Output, Output]): Output =>
      graph.op('Bitcast', [graph.op('Pack', [halves])], { type: 'uint64' });
    // Bytes are compared as numbers from -128 to 127.
    const [lower, rest] = [Math.floor(dropped / byte) - byte / 2, (dropped % byte) - byte / 2];
    const extra = graph.op('Slice', [
      bytesFrom(counterOf(graph.constant('int64', [], [-1]), high), graph.shapeVector([1])),
      graph.shapeVector([0, 0]),
      graph.shapeVector([1, 1]),
    ]); // [1, 1]
    const isRoundedUp = graph.op('Cast', [graph.op('Less', [extra, int8(rest)])], { DstT: 'int8' });
    return {
      counter: counterOf(low, high),
      bound: graph.op('AddV2', [isRoundedUp, int8(lower)]),
      shapeOfWords: shapeWith(wordsPerCounter),
      shapeOfDraws: shapeWith(drawsPerCounter),
    };
  });
  let drawn = graph.op('Reshape', [bytesFrom(counter, shapeOfWords), shapeOfDraws]);
  if (rowSize % drawsPerCounter !== 0) {
    drawn = graph.op('Slice', [drawn, graph.shapeVector([0, 0]), graph.shapeVector([rows, rowSize])]);
  }
  const isKept = graph.op('GreaterEqual', [drawn, bound]);
  const scale = graph.op('Mul', [
    graph.op('Cast', [isKept], { DstT: 'float32' }),
    graph.constant('float32', [], [draws / (draws - dropped)]),
  ]);
  const mask = tensor(graph.assumeShape(graph.op('Reshape', [scale, graph.shapeVector(x.shape)]), x.shape));
  return differentiable(
    [x],
    (save) => {
      save(mask);
      return x.mul(mask);
    },
    (dy, [kept]) => [dy.mul(kept!)],
  );
}
