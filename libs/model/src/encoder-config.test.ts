import { describe, expect, test } from '@jest/globals';
import { parseEncoderConfig } from './index.js';

/** The error of a configuration with small sizes, or undefined if it is accepted. */
function errorOf(config: Record<string, unknown>): { message: string; hint?: string } | undefined {
  try {
    parseEncoderConfig(config, 'config.json');
    return undefined;
  } catch (error) {
    return error as Error & { hint?: string };
  }
}

describe('an option that changes the numbers and is not computed is rejected by its key', () => {
  test.each([
    ['bert', 'position_embedding_type', 'relative_key'],
    ['bert', 'position_embedding_type', 'alibi'],
    ['bert', 'is_decoder', true],
    ['roberta', 'add_cross_attention', true],
    ['xlm-roberta', 'is_encoder_decoder', true],
    ['xlm-roberta', 'hidden_act', 'snake'],
    ['xlm-roberta', 'position_embedding_type', 'relative_key_query'],
    ['camembert', 'quantization_config', { bits: 4 }],
    ['distilbert', 'activation', 'snake'],
    ['distilbert', 'sinusoidal_pos_embds', true],
    ['distilbert', 'pruned_heads', { 0: [1] }],
    ['megatron-bert', 'per_layer_config', { 0: { intermediate_size: 8 } }],
    ['albert', 'hidden_act', 'unknown'],
    ['albert', 'net_structure_type', 1],
    ['albert', 'layers_to_keep', [0]],
    ['albert', 'num_memory_blocks', 2],
    ['albert', 'inner_group_num', 0],
    ['albert', 'num_hidden_groups', 1001],
    ['albert', 'embedding_size', 'large'],
    ['albert', 'position_embedding_type', 'relative_key'],
    ['electra', 'embedding_size', 0],
    ['electra', 'hidden_act', 'gelu_approximately'],
    ['electra', 'is_decoder', true],
  ])('%s: %s %j', (model_type, key, value) => {
    expect(errorOf({ model_type })).toBeUndefined();
    expect(errorOf({ model_type, [key]: value })?.message).toContain(key);
  });
});

test.each<[string, unknown]>([
  ['pruned_heads', { 0: [1] }],
  ['is_decoder', true],
  ['quantization_config', { bits: 4 }],
])('the advice for %s is about this key, because the model type is supported', (key, value) => {
  const error = errorOf({ model_type: 'bert', [key]: value });
  expect(error).toMatchObject({ name: 'UnsupportedEncoder', hint: expect.stringContaining(`a model without ${key}`) });
});

test.each([
  [{ model_type: 'my-gpt', architectures: ['MyGPTForCausalLM'] }, /decoder/],
  [{ model_type: 'mine', is_encoder_decoder: true }, /encoder-decoder/],
  [{ model_type: 'mine', image_size: 224 }, /vision/],
  [{ model_type: 'clip_vision_model' }, /vision/],
  [{ model_type: 'mine' }, /not supported$/],
  [{}, /there is no model_type/],
  [{ model_type: 7 }, /the model type 7 is not supported/],
])('%j is rejected with the reason and the types that work', (config, message) => {
  expect(errorOf(config)).toMatchObject({
    name: 'UnsupportedEncoder',
    message: expect.stringMatching(message),
    hint: expect.stringContaining('bert, roberta'),
  });
});

test('a configuration cannot ask for more layers than any published encoder has', () => {
  expect(errorOf({ model_type: 'albert', num_hidden_layers: 500, inner_group_num: 3 })?.message).toContain(
    'inner_group_num is 3 and must be an integer from 1 to 2',
  );
});

test.each(['bert', 'roberta', 'distilbert', 'megatron-bert', 'albert', 'electra', 'mpnet', 'deberta-v2', 'modernbert'])(
  '%s: the token of padding is in the vocabulary, as torch.nn.Embedding requires',
  (model_type) => {
    expect(errorOf({ model_type, vocab_size: 100, pad_token_id: 99 })).toBeUndefined();
    expect(errorOf({ model_type, vocab_size: 100, pad_token_id: 100 })?.message).toContain(
      'pad_token_id is 100 and must be an integer from 0 to 99',
    );
  },
);

describe('a file without model_type is BERT’s unless it contradicts that', () => {
  const sizes = { hidden_size: 12, num_attention_heads: 3, num_hidden_layers: 2 };
  test.each([
    {},
    { architectures: null },
    { architectures: ['BertModel'] },
    { architectures: ['BertForMaskedLM'], model_type: null },
    { directionality: 'bidi', pooler_type: 'first_token_transform' },
  ])('%j is read', (rest) => {
    expect(parseEncoderConfig({ ...sizes, ...rest }, 'config.json')).toMatchObject({
      modelType: 'bert',
      hiddenSize: 12,
    });
  });

  test.each([
    [{ architectures: ['RobertaModel'] }, /there is no model_type, and the architecture "RobertaModel"/],
    [{ architectures: ['BertModel', 'AlbertModel'], model_type: null }, /the architecture "AlbertModel"/],
    [{ architectures: 'XLMRobertaForMaskedLM' }, /the architecture "XLMRobertaForMaskedLM"/],
    [{ num_hidden_groups: 1, inner_group_num: 1 }, /there is no model_type, and the key num_hidden_groups/],
    [{ relative_attention: true }, /the key relative_attention/],
  ])('%j is rejected', (rest, message) => {
    expect(errorOf({ ...sizes, ...rest })).toMatchObject({
      name: 'UnsupportedEncoder',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/add the model_type .*bert, roberta/),
    });
  });
});

describe('a value that is nested deeply or long is rejected with a short message', () => {
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown;
  test.each([
    ['bert', 'is_decoder'],
    ['bert', 'hidden_size'],
    ['albert', 'layers_to_keep'],
    ['modernbert', 'layer_types'],
    ['modernbert', 'rope_parameters'],
    ['deberta-v2', 'pos_att_type'],
    ['deberta-v2', 'norm_rel_ebd'],
  ])('%s: %s', (model_type, key) => {
    for (const value of [deep, { a: deep }, 'x'.repeat(100_000), Array.from({ length: 10_000 }, () => 'long')]) {
      const error = errorOf({ model_type, [key]: value });
      expect(error).toMatchObject({ name: 'UnsupportedEncoder', message: expect.stringContaining(key) });
      expect(error!.message.length).toBeLessThan(500);
    }
  });

  test('model_type', () => {
    expect(errorOf({ model_type: deep })).toMatchObject({ name: 'UnsupportedEncoder' });
    expect(errorOf({ model_type: 'x'.repeat(1e6) })!.message.length).toBeLessThan(500);
  });
});
