/** One weight of a model: its name in Hugging Face's or NeMo's files, and its shape in torch's layout, [out, in]. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** False for a weight that is only passed on from file to file because nothing computes with it (the pooler). */
  readonly used: boolean;
  /** Initial value of a new weight; `normal` is N(0, std). */
  readonly init: 'normal' | 'zeros' | 'ones';
  readonly std: number;
  /** Index of a row that starts as zeros: the padding token's. */
  readonly zeroRow?: number;
}

/** torch's nn.Embedding: [rows, width]. `zeroRow` is its padding_idx. */
export function embeddingWeight(
  name: string,
  { rows, width, std, zeroRow }: { rows: number; width: number; std: number; zeroRow?: number },
): WeightSpec {
  return {
    name: `${name}.weight`,
    shape: [rows, width],
    used: true,
    init: 'normal',
    std,
    ...(zeroRow !== undefined && zeroRow < rows ? { zeroRow } : {}),
  };
}

/** torch's nn.Linear: [outputs, inputs] and, unless it has no bias, [outputs]. */
export function linearWeights(
  name: string,
  { outputs, inputs, std, hasBias = true }: { outputs: number; inputs: number; std: number; hasBias?: boolean },
): WeightSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], used: true, init: 'normal', std },
    ...(hasBias ? [biasWeight(name, outputs)] : []),
  ];
}

/** torch's nn.LayerNorm: two vectors of [size], or one if it has no bias. */
export function normWeights(name: string, size: number, { hasBias = true }: { hasBias?: boolean } = {}): WeightSpec[] {
  return [
    { name: `${name}.weight`, shape: [size], used: true, init: 'ones', std: 0 },
    ...(hasBias ? [biasWeight(name, size)] : []),
  ];
}

const biasWeight = (name: string, size: number): WeightSpec => ({
  name: `${name}.bias`,
  shape: [size],
  used: true,
  init: 'zeros',
  std: 0,
});

/** The same weights, which no computation uses: they are only passed on from file to file. */
export const unused = (specs: readonly WeightSpec[]): WeightSpec[] => specs.map((spec) => ({ ...spec, used: false }));
