/** A measured value at one size. */
export interface Point {
  size: number;
  value: number;
}

/**
 * The exponent k of value ≈ c · size^k, by least squares on logarithms. 1 is linear growth.
 *
 * @param points - at least two, of different sizes above 0
 */
export function exponentOf(points: readonly Point[]): number {
  const logs = points.map(({ size, value }) => [Math.log(size), Math.log(value)] as const);
  const mean = (axis: 0 | 1): number => logs.reduce((sum, log) => sum + log[axis], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const slope = logs.reduce((sum, log) => sum + (log[0] - x) * (log[1] - y), 0);
  return slope / logs.reduce((sum, log) => sum + (log[0] - x) ** 2, 0);
}
