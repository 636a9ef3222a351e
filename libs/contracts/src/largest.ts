/**
 * The largest of any number of values; -Infinity without values, NaN if one is NaN, as Math.max has it.
 *
 * NOTE: `Math.max(...values)` passes each value on the stack, which overflows at about 120,000 of them.
 */
export function largest(values: Iterable<number>): number {
  let result = -Infinity;
  for (const value of values) result = Math.max(result, value);
  return result;
}

/** The smallest of any number of values; Infinity without values. */
export function smallest(values: Iterable<number>): number {
  let result = Infinity;
  for (const value of values) result = Math.min(result, value);
  return result;
}
