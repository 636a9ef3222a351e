import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { openEncoder } from '@nautil/formats/encoder';
import { goldenEncoders } from '@nautil/testing';
import {
  encoderLayout,
  encoderWeights,
  type HuggingFaceClassifier,
  huggingFaceClassifier,
  initialWeight,
  OnnxForward,
  parseEncoderConfig,
  readWeights,
} from '../index.js';
import { headWeights } from '../weights.js';

const tolerance = 1e-5;
const numClasses = 3;

/** transformers' classes for the families whose heads compute NeMo's, with what they need. */
const classes: Readonly<Record<string, { activation: 'relu' | 'gelu'; prefix: string; head: readonly string[] }>> = {
  DistilBertForSequenceClassification: {
    activation: 'relu',
    prefix: 'distilbert.',
    head: ['pre_classifier', 'classifier'],
  },
  ElectraForSequenceClassification: {
    activation: 'gelu',
    prefix: 'electra.',
    head: ['classifier.dense', 'classifier.out_proj'],
  },
  DebertaV2ForSequenceClassification: { activation: 'relu', prefix: 'deberta.', head: ['pooler.dense', 'classifier'] },
};

/** Φ(x) with an error of 1e-7 (Handbook of Mathematical Functions, 7.1.26). */
function normal(x: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(x)) / Math.SQRT2);
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (polynomial * Math.exp((-x * x) / 2)) / 2;
  return x > 0 ? 1 - tail : tail;
}

const activations = { relu: (x: number) => Math.max(0, x), gelu: (x: number) => x * normal(x) };

/** W·x + b of a matrix in torch's layout. */
const linear = (weight: Float32Array, bias: Float32Array, x: ArrayLike<number>): number[] =>
  Array.from(bias, (start, row) =>
    Array.from(x).reduce((sum, value, column) => sum + value * weight[row * x.length + column]!, start),
  );

/** The vectors or logits of an encoder with weights by name. */
async function compute(
  config: JsonObject,
  read: (name: string) => Promise<Float32Array>,
  rows: readonly number[][],
  head?: { numClasses: number; numOutputLayers: number },
): Promise<Float32Array[]> {
  const encoder = parseEncoderConfig(config, 'config.json');
  const specs = [
    ...encoderWeights(encoder),
    ...(head ? headWeights({ ...head, hiddenSize: encoder.hiddenSize }) : []),
  ].filter(({ used }) => used);
  const forward = await OnnxForward.open({ encoder, head, weights: await readWeights(specs, read, 'model') });
  const results = await forward.runRows(rows, { padId: encoder.padTokenId, batchSize: 4 });
  forward.close();
  return results;
}

/** The logits of the exported form. */
async function exportedLogits(
  { config, weights }: HuggingFaceClassifier,
  own: (name: string) => Promise<Float32Array>,
  rows: readonly number[][],
): Promise<number[][]> {
  const { activation, prefix, head } = classes[(config['architectures'] as string[])[0]!]!;
  const byName = new Map(weights.map((weight) => [weight.name, weight]));
  expect(byName.size).toBe(weights.length);
  const read = async (name: string) => {
    const { read: valuesOf, shape } = byName.get(name)!;
    const values = await valuesOf(own);
    expect(values).toHaveLength(shape.reduce((size, dim) => size * dim, 1));
    return values;
  };
  const vectors = await compute(config, (name) => read(prefix + name), rows);
  const [w1, b1, w2, b2] = await Promise.all(head.flatMap((layer) => [read(`${layer}.weight`), read(`${layer}.bias`)]));
  return vectors.map((x) => linear(w2!, b2!, linear(w1!, b1!, x).map(activations[activation])));
}

/** The class that computes an encoder with NeMo's head of that depth; undefined: none. */
function classOf(config: JsonObject, numOutputLayers: number): string | undefined {
  const { model_type: type, layer_norm_eps: epsilon = 1e-12, hidden_act: activation = 'gelu' } = config;
  const isProjected = type === 'electra' && (config['embedding_size'] ?? 128) !== (config['hidden_size'] ?? 256);
  const isBert = (type === 'bert' || type === 'electra') && !isProjected && epsilon === 1e-12 && activation === 'gelu';
  if ((isBert || type === 'distilbert') && numOutputLayers <= 2) return 'DistilBertForSequenceClassification';
  if (type === 'deberta-v2' && numOutputLayers <= 2) return 'DebertaV2ForSequenceClassification';
  return type === 'electra' && numOutputLayers === 1 ? 'ElectraForSequenceClassification' : undefined;
}

describe.each(goldenEncoders())('$name as a class of transformers', ({ folder, rows }) => {
  test.each([1, 2, 3])(
    'a head of %i layers gives the same logits, or is refused by the class',
    async (numOutputLayers) => {
      const opened = await openEncoder({ path: folder, layout: encoderLayout });
      const config = opened.config;
      const encoder = parseEncoderConfig(config, folder);
      const head = { numClasses, numOutputLayers };
      const specs = headWeights({ ...head, hiddenSize: encoder.hiddenSize });
      const heads = new Map(specs.map((spec) => [spec.name, initialWeight({ ...spec, init: 'normal', std: 0.3 }, 11)]));
      const read = async (name: string) => heads.get(name) ?? opened.tensors.readFloat32(name);
      const ids = rows.slice(0, 5).map(({ input_ids }) => input_ids);
      const form = () => huggingFaceClassifier({ encoder, head, pairs: false, config, source: 'a.nemo' });
      const expectedClass = classOf(config, numOutputLayers);
      if (expectedClass === undefined) {
        expect(form).toThrow(/^a\.nemo: no class of transformers computes this model: \w+ForSequenceClassification /);
      } else {
        expect(form().config['architectures']).toEqual([expectedClass]);
        const expected = await compute(config, read, ids, head);
        const actual = await exportedLogits(form(), read, ids);
        for (const [row, logits] of expected.entries())
          for (const [id, logit] of logits.entries())
            expect(Math.abs(actual[row]![id]! - logit)).toBeLessThan(tolerance);
      }
      await opened.close();
    },
  );
});

test.each<[JsonObject, { numClasses?: number; numOutputLayers?: number; pairs?: boolean }, RegExp]>([
  [
    { layer_norm_eps: 1e-5 },
    {},
    /DistilBert\w+ has layer_norm_eps 1e-12, and the encoder 0\.00001; BertFor\w+ applies a tanh/,
  ],
  [{ hidden_act: 'relu' }, {}, /DistilBert\w+ is exported with the activation gelu, and the encoder has relu/],
  [{}, { pairs: true }, /DistilBert\w+ has no segments, by which the encoder tells the texts of a pair apart/],
  [
    {},
    { numOutputLayers: 1, numClasses: 9 },
    /with two of its 16 hidden numbers for each class, and this one has 9 classes/,
  ],
  [{}, { numOutputLayers: 4 }, /DistilBert\w+ has two layers after the encoder, and this head has 4/],
  [
    { model_type: 'electra', embedding_size: 8 },
    {},
    /ElectraFor\w+ has a GELU between its two layers, and NeMo’s head a ReLU/,
  ],
  [{ model_type: 'camembert' }, {}, /CamembertForSequenceClassification applies a tanh/],
])(
  'what no class computes exactly is refused with the reason: %j, %j',
  (keys, { pairs = false, ...sizes }, message) => {
    const config = { model_type: 'bert', hidden_size: 16, num_attention_heads: 2, num_hidden_layers: 1, ...keys };
    const encoder = parseEncoderConfig(config, 'config.json');
    const head = { numClasses: 2, numOutputLayers: 2, ...sizes };
    expect(() => huggingFaceClassifier({ encoder, head, pairs, config, source: 'a.nemo' })).toThrow(message);
  },
);
