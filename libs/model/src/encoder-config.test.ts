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
