import { expect, test } from '@jest/globals';
import { classifierWeights, parseEncoderConfig } from '@nautil/model';
import { bertBase, bertLarge, bertStep, miniLmSizes, parametersOf } from './bert-step.js';

test.each([
  ['BERT-base', bertBase, 12],
  ['BERT-large', bertLarge, 16],
  ['MiniLM-L6', miniLmSizes, 12],
])('the weights of %s are as many as those that the product trains', (_name, sizes, heads) => {
  const config = {
    model_type: 'bert',
    num_hidden_layers: sizes.layers,
    hidden_size: sizes.hidden,
    num_attention_heads: heads,
    intermediate_size: sizes.intermediate,
    vocab_size: sizes.vocabulary,
  };
  const encoder = parseEncoderConfig(config, 'config.json');
  const trained = classifierWeights({ encoder, numClasses: 2, numOutputLayers: 2 }).filter(({ used }) => used);
  const count = trained.reduce((sum, { shape }) => sum + shape.reduce((size, dim) => size * dim, 1), 0);
  expect(parametersOf(sizes)).toBe(count);
});

test('the operations are those of each matmul, three times, and the last layer has one query for each row', () => {
  const sizes = { layers: 2, hidden: 4, intermediate: 8, vocabulary: 10, positions: 6, segments: 2, classes: 3 };
  const [rows, length] = [5, 6];
  const tokens = rows * length;
  const heads = 2;
  const matMul = (m: number, k: number, n: number) => 2 * m * k * n;
  const layer = (queries: number) =>
    matMul(queries, 4, 4) + // queries
    2 * matMul(tokens, 4, 4) + // keys and values
    rows * heads * (matMul(queries / rows, 4 / heads, length) + matMul(queries / rows, length, 4 / heads)) +
    matMul(queries, 4, 4) + // the output of the attention
    matMul(queries, 4, 8) +
    matMul(queries, 8, 4);
  const head = matMul(rows, 4, 4) + matMul(rows, 4, 3);
  expect(bertStep(sizes, { rows, length }).flops).toBe(3 * (layer(tokens) + layer(rows) + head));
});

test('a step of MiniLM-L6 with 32 rows of 32 tokens has 57 billion operations, as measured in docs/performance.md', () => {
  expect(bertStep(miniLmSizes, { rows: 32, length: 32 }).flops / 1e9).toBeCloseTo(57.24, 2);
});

test('the gradients come in the order of the backward pass, and those of the embeddings at its end', () => {
  const { gradients } = bertStep(bertBase, { rows: 32, length: 128 });
  expect(gradients).toHaveLength(1 + 12 + 1);
  const readyAt = gradients.map((gradient) => gradient.readyAt);
  expect(readyAt).toEqual(readyAt.toSorted((a, b) => a - b));
  expect(readyAt[0]).toBeLessThan(0.001);
  expect(gradients.at(-1)).toEqual({ bytes: (30_522 + 512 + 2 + 2) * 768 * 4, readyAt: 1 });
  expect(gradients.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(4 * parametersOf(bertBase));
});
