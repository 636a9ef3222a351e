import { createHash } from 'node:crypto';
import type { WeightSpec } from './weight-spec.js';

/**
 * The initial value of a weight that is not loaded from a file. It is a function of the seed and the weight's name, so it depends
 * neither on the order of the weights nor on other weights.
 */
export function initialWeight(spec: WeightSpec, seed: number): Float32Array {
  const values = new Float32Array(spec.shape.reduce((size, dim) => size * dim, 1));
  if (spec.init === 'ones') return values.fill(1);
  if (spec.init === 'zeros') return values;
  const uniform = generator(`${seed}/${spec.name}`);
  for (let i = 0; i < values.length; i += 2) {
    // Box–Muller: two independent normal values from two uniform ones. 1 - u is never 0.
    const radius = spec.std * Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
  if (spec.zeroRow !== undefined) {
    const width = spec.shape[1]!;
    values.fill(0, spec.zeroRow * width, (spec.zeroRow + 1) * width);
  }
  return values;
}

/** xoshiro128** (https://prng.di.unimi.it/), seeded with a hash of the key. Returns 32 random bits as a number in [0, 1). */
function generator(key: string): () => number {
  const hash = createHash('sha256').update(key).digest();
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => hash.readInt32LE(at)) as [number, number, number, number];
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result / 2 ** 32;
  };
}
