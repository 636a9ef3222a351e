import { expect, test } from '@jest/globals';
import { goldenEncoders } from '@nautil/testing';
import { loadTokenizer } from './load-tokenizer.js';

const encoders = goldenEncoders().filter(({ rows }) => rows.some(({ text }) => text !== undefined));

test.each(encoders)(
  'the tokenizer of $name gives the recorded ids, truncated with its closing token',
  async (encoder) => {
    const tokenizer = await loadTokenizer({ folder: encoder.folder });
    const longest = Math.max(...encoder.rows.map(({ input_ids }) => input_ids.length));
    for (const { text = '', input_ids } of encoder.rows) {
      const whole = tokenizer.encode(text);
      const maxLength = whole.length > input_ids.length ? input_ids.length : longest;
      expect({ text, ids: tokenizer.encode(text, maxLength) }).toEqual({ text, ids: input_ids });
    }
  },
);
