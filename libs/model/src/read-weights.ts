import { requireFinite } from './model-weights.js';
import type { WeightSpec } from './weight-spec.js';
import { withoutEncoderPrefix } from './weights.js';

/** Weights in torch's layout, by their names without NeMo's prefix. */
export type WeightValues = ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>;

/**
 * The values of the weights that a model computes with. The others are read, too, and must be finite.
 *
 * @param read - returns the value by name. For weights that are not used, undefined means that the file lacks it.
 * @param file - where the values come from, for messages
 * @throws NonFiniteWeight
 */
export async function readWeights(
  specs: readonly WeightSpec[],
  read: (name: string) => Promise<Float32Array | undefined>,
  file: string,
): Promise<WeightValues> {
  const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const { name, shape, used } of specs) {
    const data = await read(name);
    if (data !== undefined) requireFinite(file, name, data);
    if (!used) continue;
    if (data === undefined) throw new Error(`no value for the weight ${name}`);
    values.set(withoutEncoderPrefix(name), { shape, data });
  }
  return values;
}
