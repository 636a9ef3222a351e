/** Pairs the elements of two arrays of the same length. */
export function* zip<A, B>(first: readonly A[], second: readonly B[]): Generator<[A, B]> {
  if (first.length !== second.length)
    throw new RangeError(`arrays of ${first.length} and ${second.length} elements cannot be paired`);
  for (const [i, a] of first.entries()) yield [a, second[i] as B];
}
