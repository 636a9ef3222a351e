import { describe, expect, test } from '@jest/globals';
import {
  crossEntropy,
  Graph,
  hostTensor,
  type Output,
  type Precision,
  Session,
  traceGradients,
} from '@nautil/tensorflow';
import { encode } from './encode.js';
import { parseEncoderConfig } from './encoder-config.js';
import { modelTypes } from './families/index.js';
import { initialWeight } from './initial-weight.js';
import { activationNames } from './layers/activation.js';
import { encoderWeights, withoutEncoderPrefix } from './weights.js';

/** Keys of every family's config.json. */
const sizes = {
  vocab_size: 30,
  max_position_embeddings: 24,
  hidden_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  intermediate_size: 20,
  dim: 12,
  n_layers: 2,
  n_heads: 3,
  hidden_dim: 20,
  embedding_size: 8,
};

/** Rows of token ids, of which 1 is padding, in batches of several shapes. */
const batches = [
  [[5, 6, 7, 8, 9]],
  [
    [5, 6, 1],
    [7, 1, 1],
    [9, 8, 7],
  ],
  [
    [5, 1, 1, 1, 1, 1, 1, 1],
    [5, 6, 7, 8, 9, 10, 11, 12],
  ],
];

/** For each batch, the hidden states of the first tokens and the gradient of every weight, with dropout. */
async function compute(
  config: Record<string, unknown>,
  { areFree, precision = 'float32' }: { areFree: boolean; precision?: Precision | undefined },
): Promise<{ values: Float32Array[][]; addedNodes: number }> {
  const encoder = parseEncoderConfig({ ...sizes, ...config }, 'test');
  const specs = encoderWeights(encoder).filter(({ used }) => used);
  const graph = new Graph();
  const session = new Session(graph);
  const variables = specs.map(({ name, shape }) => graph.variable(name, shape));
  for (const [index, spec] of specs.entries()) {
    const value = graph.constant('float32', spec.shape, initialWeight({ ...spec, std: 0.5 }, 1));
    await session.run({ targets: [variables[index]!.assign(value)] });
  }
  const reads = variables.map((variable) => variable.read());

  const build = (shape: number[]): { inputs: Output[]; fetches: Output[] } => {
    const [ids, mask] = [graph.placeholder('int32', shape), graph.placeholder('int32', shape)];
    let first: Output | undefined;
    const { gradients } = traceGradients(graph, reads, ({ tensor, output }, values) => {
      const weights = Object.fromEntries(specs.map(({ name }, i) => [withoutEncoderPrefix(name), values[i]!]));
      const [step, rowOffset] = [3, 0].map((value) => tensor(graph.constant('int32', [], [value])));
      const x = encode(
        encoder,
        weights,
        { ids: tensor(ids), mask: tensor(mask) },
        { firstTokenOnly: true, precision, dropout: { seed: 5, step: step!, rowOffset: rowOffset! } },
      );
      first = output(x);
      const labels = tensor(ids).slice([0, 0], [-1, 1]).reshape([-1]);
      return crossEntropy(x, labels, labels.toFloat());
    });
    return { inputs: [ids, mask], fetches: [first!, ...gradients] };
  };

  const free = areFree ? build([graph.freeSize(), graph.freeSize()]) : undefined;
  const builtNodes = graph.nodeCount;
  const values: Float32Array[][] = [];
  for (const batch of batches) {
    const shape = [batch.length, batch[0]!.length];
    const { inputs, fetches } = free ?? build(shape);
    const ids = batch.flat();
    const feeds = [ids, ids.map((id) => (id === 1 ? 0 : 1))].map(
      (data, i) => [inputs[i]!, hostTensor('int32', shape, Int32Array.from(data))] as const,
    );
    const results = await session.run({ feeds, fetches });
    values.push(results.map(({ data }) => data as Float32Array));
  }
  const addedNodes = graph.nodeCount - builtNodes;
  session.close();
  graph.close();
  return { values, addedNodes };
}

describe('one graph with free sizes gives the bytes of a graph for each shape', () => {
  /** Settings that add operations to a family's computation. */
  const settings: Record<string, object> = {
    modernbert: { local_attention: 4, attention_dropout: 0.1, embedding_dropout: 0.1, mlp_dropout: 0.1 },
    'deberta-v2': {
      relative_attention: true,
      pos_att_type: 'c2p|p2c',
      position_buckets: 4,
      norm_rel_ebd: 'layer_norm',
      conv_kernel_size: 3,
      embedding_size: 8,
    },
  };
  const encoders = [...modelTypes.keys()].map((model_type) => ({ model_type, ...settings[model_type] }));
  test.each(
    encoders.flatMap((config) =>
      (['float32', 'bfloat16'] as const).map((precision) => ({ family: config.model_type, config, precision })),
    ),
  )('for the family $family in $precision', async ({ config, precision }) => {
    const free = await compute(config, { areFree: true, precision });
    const fixed = await compute(config, { areFree: false, precision });
    expect(free.addedNodes).toBe(0);
    expect(fixed.addedNodes).toBeGreaterThan(0);
    expect(free.values.flat().some((values) => values.some((value) => value !== 0))).toBe(true);
    expect(free.values).toEqual(fixed.values);
  });

  test('for a vocabulary whose size is a multiple of a stand-in', async () => {
    const config = { model_type: 'bert', vocab_size: 20_014 };
    const free = await compute(config, { areFree: true });
    expect(free.values).toEqual((await compute(config, { areFree: false })).values);
  });

  test.each(activationNames)('for the activation %s', async (activation) => {
    const config = { model_type: 'bert', hidden_act: activation };
    const free = await compute(config, { areFree: true });
    expect(free.values).toEqual((await compute(config, { areFree: false })).values);
  });
});
