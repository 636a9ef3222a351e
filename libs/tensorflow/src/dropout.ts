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
const drawsPerCounter = 8; // of 16 bits
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
  const int64 = (value: Output): Output => graph.op('Cast', [value], { DstT: 'int64' });

  // The random generator reads key, counter and shape from host memory. Computing them there avoids waiting for a GPU.
  const { key, counter, shapeOfWords, shapeOfDraws } = graph.onDevice(hostOf(graph.device), () => {
    const rowCounters = graph.quotientOf(rowSize, drawsPerCounter);
    const shapeWith = (perCounter: number): Output =>
      graph.op('Pack', [[graph.sizeOf(rows), graph.op('Mul', [rowCounters, graph.sizeOf(perCounter)])]]);
    const low = graph.op('Mul', [int64(output(rowOffset)), int64(rowCounters)]);
    const high = int64(output(step));
    return {
      key: graph.constant(
        'uint64',
        [1],
        BigUint64Array.of((BigInt.asUintN(32, BigInt(seed)) << 32n) | BigInt.asUintN(32, BigInt(site))),
      ),
      counter: graph.op('Bitcast', [graph.op('Pack', [[low, high]])], { type: 'uint64' }),
      shapeOfWords: shapeWith(wordsPerCounter),
      shapeOfDraws: shapeWith(drawsPerCounter),
    };
  });
  const words = graph.op(
    'StatelessRandomUniformFullIntV2',
    [shapeOfWords, key, counter, graph.constant('int32', [], [philox])],
    { dtype: 'uint32' },
  );
  let drawn = graph.op('Reshape', [graph.op('Bitcast', [words], { type: 'int16' }), shapeOfDraws]);
  if (rowSize % drawsPerCounter !== 0) {
    drawn = graph.op('Slice', [drawn, graph.shapeVector([0, 0]), graph.shapeVector([rows, rowSize])]);
  }
  const isKept = graph.op('GreaterEqual', [drawn, graph.constant('int16', [], [dropped - draws / 2])]);
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
