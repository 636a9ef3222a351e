import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parseEncoderConfig } from '../parse-encoder-config.js';

interface Case {
  config: { model_type: string } & Record<string, unknown>;
  /** What transformers' model reads. */
  values: Record<string, unknown>;
}

/** tests/golden/record/configurations.py */
const { configurations } = JSON.parse(
  readFileSync(new URL('../../../../tests/golden/configurations.json', import.meta.url), 'utf8'),
) as { configurations: Case[] };

const casesOf = (type: string): Case[] => configurations.filter(({ config }) => config.model_type === type);

test.each(casesOf('distilbert'))(
  'a standard name of a key wins over DistilBERT’s own, as in attribute_map: $config',
  ({ config, values }) => {
    expect(parseEncoderConfig(config, 'config.json')).toMatchObject(values);
  },
);

test('the error about a value has the name under which the file gives it', () => {
  const parse = (config: object) => () => parseEncoderConfig({ model_type: 'distilbert', ...config }, 'config.json');
  expect(parse({ n_layers: 2, num_hidden_layers: 0 })).toThrow(/: num_hidden_layers is 0 and must be/);
  expect(parse({ hidden_size: 12, num_attention_heads: 5 })).toThrow(
    /: hidden_size is 12 and must be a multiple of num_attention_heads \(5\)/,
  );
  expect(parse({ hidden_size: 12, n_heads: 5 })).toThrow(/: hidden_size is 12 and must be a multiple of n_heads \(5\)/);
});

test.each(casesOf('modernbert'))(
  'rope_scaling updates the bases of all layers, and a flat rope_theta none: $config',
  ({ config, values }) => {
    const { attentions } = parseEncoderConfig(config, 'config.json') as unknown as { attentions: { theta: number }[] };
    // The first layer attends to all tokens, the second to its neighbours.
    expect({ thetas: [attentions[0]!.theta, attentions[1]!.theta] }).toEqual(values);
  },
);

const isTerm = (term: unknown): boolean => ['c2p', 'p2c', ''].includes(term as string);

test.each(casesOf('deberta-v2'))(
  'blanks and case of pos_att_type count in a list, where a term that transformers would ignore is rejected: $config',
  ({ config, values }) => {
    const { pos_att_type: given } = config;
    const parse = () => parseEncoderConfig(config, 'config.json');
    if (Array.isArray(given) && !given.every(isTerm)) expect(parse).toThrow(/pos_att_type is .* must be a list of c2p/);
    else expect(parse()).toMatchObject(values);
  },
);
