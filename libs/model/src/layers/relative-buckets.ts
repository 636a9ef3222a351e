const { fround } = Math;
const log = (x: number): number => fround(Math.log(fround(x)));

/**
 * MPNet's bucket of a distance, as relative_position_bucket of transformers: one for each of the small distances, then buckets whose
 * width grows with the logarithm. transformers passes neither the number of buckets nor the largest distance, whatever the configuration.
 *
 * @param distance - of the key from the query: j - i
 */
export function mpnetBucket(distance: number): number {
  const perDirection = mpnetBuckets / 2;
  const exact = perDirection / 2;
  const direction = distance > 0 ? perDirection : 0;
  const size = Math.abs(distance);
  if (size < exact) return direction + size;
  // Rounded to float32 wherever transformers does: the distances where a bucket begins depend on it.
  const share = fround(log(size / exact) / fround(Math.log(mpnetFarthest / exact)));
  return direction + Math.min(exact + Math.trunc(fround(share * (perDirection - exact))), perDirection - 1);
}

/** The number of MPNet's buckets, and the distance from which on all are in the last. */
export const mpnetBuckets = 32;
const mpnetFarthest = 128;

/**
 * DeBERTa's bucket of a distance, as make_log_bucket_position of transformers: the distance itself up to half the buckets, beyond that
 * its logarithm.
 *
 * @param distance - of the query from the key: i - j
 * @param o.buckets - in each direction, at least 2
 * @param o.farthest - max_relative_positions
 */
export function debertaBucket(distance: number, { buckets, farthest }: { buckets: number; farthest: number }): number {
  const middle = Math.floor(buckets / 2);
  const size = Math.abs(distance);
  if (size <= middle) return distance;
  // Rounded to float32 wherever transformers does.
  const share = fround(log(size / middle) / log((farthest - 1) / middle));
  return Math.sign(distance) * (Math.ceil(fround(share * (middle - 1))) + middle);
}
