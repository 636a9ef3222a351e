import {
  crossEntropy,
  Graph,
  hostTensor,
  type Output,
  type Precision,
  Session,
  traceGradients,
} from '@nautil/tensorflow';
import { encode } from '../encode.js';
import { modelTypes } from '../families/index.js';
import { initialWeight } from '../initial-weight.js';
import { parseEncoderConfig } from '../parse-encoder-config.js';
import { encoderWeights, withoutEncoderPrefix } from '../weights.js';

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

/** Settings that add operations to a family's computation, by model type. */
const settings: Record<string, object> = {
  modernbert: { pad_token_id: 0, local_attention: 4, attention_dropout: 0.1, embedding_dropout: 0.1, mlp_dropout: 0.1 },
  'deberta-v2': {
    relative_attention: true,
    pos_att_type: 'c2p|p2c',
    position_buckets: 4,
    norm_rel_ebd: 'layer_norm',
    conv_kernel_size: 3,
    embedding_size: 8,
  },
};

/** A configuration of every model type, without the sizes. */
export const tinyEncoders: readonly { model_type: string }[] = [...modelTypes.keys()].map((model_type) => ({
  model_type,
  ...settings[model_type],
}));

/** Some rows of a batch: token ids, of which 1 is padding. */
export interface TinyBatch {
  rows: number[][];

  /** Index of the first row within the whole batch. Default: 0. */
  rowOffset?: number;
}

/**
 * For each batch, the hidden states of the first tokens and the gradient of every weight, with dropout.
 *
 * @param config - keys of config.json besides the sizes
 * @param o.areFree - one graph computes every batch
 */
export async function computeBatches(
  config: Record<string, unknown>,
  batches: readonly TinyBatch[],
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

  const offset = graph.placeholder('int32', []);

  const build = (shape: number[]): { inputs: Output[]; fetches: Output[] } => {
    const [ids, mask] = [graph.placeholder('int32', shape), graph.placeholder('int32', shape)];
    let first: Output | undefined;
    const { gradients } = traceGradients(graph, reads, ({ tensor, output }, values) => {
      const weights = Object.fromEntries(specs.map(({ name }, i) => [withoutEncoderPrefix(name), values[i]!]));
      const step = tensor(graph.constant('int32', [], [3]));
      const x = encode(
        encoder,
        weights,
        { ids: tensor(ids), mask: tensor(mask) },
        { firstTokenOnly: true, precision, dropout: { seed: 5, step, rowOffset: tensor(offset) } },
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
  for (const { rows, rowOffset = 0 } of batches) {
    const shape = [rows.length, rows[0]!.length];
    const { inputs, fetches } = free ?? build(shape);
    const ids = rows.flat();
    const feeds = [ids, ids.map((id) => (id === 1 ? 0 : 1))].map(
      (data, i) => [inputs[i]!, hostTensor('int32', shape, Int32Array.from(data))] as const,
    );
    const results = await session.run({ feeds: [...feeds, [offset, rowOffset]], fetches });
    values.push(results.map(({ data }) => data as Float32Array));
  }
  const addedNodes = graph.nodeCount - builtNodes;
  session.close();
  graph.close();
  return { values, addedNodes };
}
