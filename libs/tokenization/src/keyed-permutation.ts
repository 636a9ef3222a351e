/** Enough rounds that neighbours end far apart in small domains too. */
const rounds = 8;

/**
 * A permutation of 0 … size-1 that is chosen by the key and computed one index at a time, without a table: a balanced Feistel
 * network over the next even power of two, walked until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite
 * domains", 2002). Keys are whole numbers below 2^53; size is at most 2^31.
 */
export function keyedPermutation(size: number, ...key: number[]): (index: number) => number {
  if (size <= 1) return (index) => index;
  const halfBits = Math.max(1, Math.ceil(Math.log2(size) / 2));
  const mask = 2 ** halfBits - 1;
  const roundKeys = Int32Array.from({ length: rounds }, (_, round) => hashOf([...key, size, round]));
  const once = (index: number) => {
    let left = index >>> halfBits;
    let right = index & mask;
    for (const roundKey of roundKeys) {
      [left, right] = [right, left ^ (mix(right ^ roundKey) & mask)];
    }
    return left * (mask + 1) + right;
  };
  return (index) => {
    let at = once(index);
    while (at >= size) at = once(at);
    return at;
  };
}

function hashOf(values: number[]): number {
  let hash = 0x9e3779b9 | 0;
  for (const value of values) {
    hash = mix(hash ^ (value | 0));
    hash = mix((hash + Math.floor(value / 2 ** 32)) | 0);
  }
  return hash;
}

/** MurmurHash3's finalizer: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
