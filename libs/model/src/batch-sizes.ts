/** What a batch costs besides its tokens, in tokens: it reads all weights, and its matrices are multiplied less efficiently. */
const batchCost = 16;

/**
 * The numbers of rows of consecutive batches that cost least together. A batch is padded to its last row, which is its longest.
 *
 * @param lengths - of the rows, ascending
 * @param largest - rows per batch, at most
 */
export function batchSizes(lengths: readonly number[], largest: number): number[] {
  // For each number of leading rows: the least cost of computing them, and the size of the last batch of that solution.
  const costs = [0];
  const lastSizes = [0];
  for (let rows = 1; rows <= lengths.length; rows++) {
    let [least, lastSize] = [Infinity, 0];
    for (let size = 1; size <= Math.min(largest, rows); size++) {
      const cost = costs[rows - size]! + batchCost + size * lengths[rows - 1]!;
      // Of equal costs, the larger batch.
      if (cost <= least) [least, lastSize] = [cost, size];
    }
    costs.push(least);
    lastSizes.push(lastSize);
  }
  const sizes: number[] = [];
  for (let rows = lengths.length; rows > 0; rows -= lastSizes[rows]!) sizes.unshift(lastSizes[rows]!);
  return sizes;
}
