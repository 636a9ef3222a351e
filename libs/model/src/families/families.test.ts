import { describe, expect, test } from '@jest/globals';
import { parseEncoderConfig } from '../parse-encoder-config.js';
import { encoderWeights } from '../weights.js';

const sizes = { hidden_size: 12, num_attention_heads: 3, num_hidden_layers: 2 };

const parse = (config: Record<string, unknown>) => parseEncoderConfig({ ...sizes, ...config }, 'config.json');

describe('a setting that a family does not compute is rejected by its key', () => {
  const relative = { model_type: 'deberta-v2', relative_attention: true };
  const modernbert = { model_type: 'modernbert' };
  test.each([
    [{ ...relative, pos_att_type: 'c2p|p2p' }, /pos_att_type .* must be a list of c2p and p2c/],
    [{ ...relative, pos_att_type: 3 }, /pos_att_type/],
    [{ ...relative, position_buckets: 1 }, /position_buckets/],
    [{ ...relative, position_buckets: 40, max_relative_positions: 21 }, /max_relative_positions/],
    [{ ...relative, norm_rel_ebd: 'rms_norm' }, /norm_rel_ebd/],
    [{ ...relative, conv_kernel_size: 4 }, /conv_kernel_size .* odd/],
    [{ ...relative, conv_kernel_size: 3, conv_groups: 5 }, /conv_groups/],
    [{ ...relative, conv_kernel_size: 3, conv_act: 'other' }, /conv_act/],
    [{ ...relative, attention_head_size: 8 }, /attention_head_size/],
    [{ ...relative, hidden_act: 'other' }, /hidden_act/],
    [{ model_type: 'mpnet', relative_attention_num_buckets: 16 }, /relative_attention_num_buckets/],
    [{ model_type: 'mpnet', max_position_embeddings: 2 }, /max_position_embeddings/],
    [{ ...modernbert, hidden_size: 9 }, /num_attention_heads .* even/],
    [{ ...modernbert, head_dim: 8 }, /head_dim/],
    [{ ...modernbert, partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
    [{ ...modernbert, layer_types: ['full_attention'] }, /layer_types/],
    [{ ...modernbert, layer_types: ['full_attention', 'chunked_attention'] }, /layer_types/],
    [{ ...modernbert, rope_parameters: { rope_theta: 5 } }, /rope_parameters/],
    [{ ...modernbert, rope_parameters: { full_attention: { rope_type: 'yarn' } } }, /full_attention: rope_type/],
    [{ ...modernbert, rope_parameters: { sliding_attention: { rope_theta: -1 } } }, /sliding_attention: rope_theta/],
    [{ ...modernbert, rope_scaling: { rope_type: 'linear', factor: 2 } }, /rope_scaling: rope_type/],
    [{ ...modernbert, rope_scaling: { rope_theta: -1 } }, /rope_scaling: rope_theta/],
    [{ ...modernbert, global_rope_theta: 'x' }, /global_rope_theta/],
    [{ ...modernbert, local_attention: 0 }, /local_attention/],
    [{ ...modernbert, norm_bias: 'yes' }, /norm_bias .* true or false/],
    [{ ...modernbert, is_decoder: true }, /is_decoder/],
  ])('%j', (config, message) => {
    expect(() => parse(config)).toThrow(message);
  });
});

test('a family has the weights that its settings call for, and no others', () => {
  const namesOf = (config: Record<string, unknown>) => encoderWeights(parse(config)).map(({ name }) => name);
  const plain = namesOf({ model_type: 'deberta-v2' });
  const all = namesOf({
    model_type: 'deberta-v2',
    relative_attention: true,
    pos_att_type: ['p2c'],
    norm_rel_ebd: 'layer_norm',
    conv_kernel_size: 3,
    embedding_size: 6,
    type_vocab_size: 2,
  });
  expect(all.filter((name) => !plain.includes(name))).toEqual([
    'embeddings.token_type_embeddings.weight',
    'embeddings.embed_proj.weight',
    'encoder.rel_embeddings.weight',
    'encoder.LayerNorm.weight',
    'encoder.LayerNorm.bias',
    'encoder.layer.0.attention.self.pos_query_proj.weight',
    'encoder.layer.0.attention.self.pos_query_proj.bias',
    'encoder.layer.1.attention.self.pos_query_proj.weight',
    'encoder.layer.1.attention.self.pos_query_proj.bias',
    'encoder.conv.conv.weight',
    'encoder.conv.conv.bias',
    'encoder.conv.LayerNorm.weight',
    'encoder.conv.LayerNorm.bias',
  ]);
  const modernbert = namesOf({ model_type: 'modernbert' });
  expect(modernbert.filter((name) => name.endsWith('.bias'))).toEqual([]);
  expect(modernbert).not.toContain('layers.0.attn_norm.weight');
  expect(modernbert).toContain('layers.1.attn_norm.weight');
});
