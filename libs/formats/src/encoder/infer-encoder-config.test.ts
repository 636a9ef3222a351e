import { expect, test } from '@jest/globals';
import { inferEncoderConfig } from './infer-encoder-config.js';

const albertShapes = (hidden: number, group = 0): Map<string, readonly number[]> =>
  new Map([
    ['embeddings.word_embeddings.weight', [30000, 128]],
    ['embeddings.position_embeddings.weight', [512, 128]],
    ['embeddings.token_type_embeddings.weight', [2, 128]],
    ['encoder.embedding_hidden_mapping_in.weight', [hidden, 128]],
    [`encoder.albert_layer_groups.${group}.albert_layers.0.ffn.weight`, [4 * hidden, hidden]],
  ]);

test.each([
  [768, 12, 12],
  [1024, 24, 16],
  [2048, 24, 16],
  [4096, 12, 64],
])('a published ALBERT of width %d has %d layers and %d heads', (hidden, layers, heads) => {
  const { config, notes } = inferEncoderConfig(albertShapes(hidden), 'old.nemo');
  expect(config).toMatchObject({
    model_type: 'albert',
    embedding_size: 128,
    hidden_size: hidden,
    intermediate_size: 4 * hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    vocab_size: 30000,
  });
  expect(notes.join('\n')).toContain(`${layers} and ${heads}`);
});

test.each([
  ['another width', albertShapes(640)],
  ['several groups', albertShapes(768, 1)],
])('an ALBERT of %s needs its config.json, since no weight shows the layers', (_, shapes) => {
  expect(() => inferEncoderConfig(shapes, 'old.nemo')).toThrow(/no encoder configuration/);
});
