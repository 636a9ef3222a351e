/** Enough rounds to separate neighbours even in small domains. */
const rounds = 8;

/**
 * A permutation of 0 … size-1 selected by the key and computed per index, without a table: a balanced Feistel network over the
 * next even power of two with cycle walking (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
 *
 * @param size - at most 2^31
 * @param key - whole numbers below 2^53
 */
export function keyedPermutation(size: number, ...key: number[]): (index: number) => number {
  if (size <= 1) return (index) => index;
  const halfBits = Math.max(1, Math.ceil(Math.log2(size) / 2));
  const mask = 2 ** halfBits - 1;
  const roundKeys = Int32Array.from({ length: rounds }, (_, round) => hashOf([...key, size, round]));
  const permuteOnce = (index: number) => {
    let left = index >>> halfBits;
    let right = index & mask;
    for (const roundKey of roundKeys) {
      [left, right] = [right, left ^ (mix(right ^ roundKey) & mask)];
    }
    return left * (mask + 1) + right;
  };
  return (index) => {
    let image = permuteOnce(index);
    while (image >= size) image = permuteOnce(image);
    return image;
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

/** MurmurHash3's finalizer: every input bit affects every output bit. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
