import { expect, test } from '@jest/globals';
import { decideCasing } from './casing.js';

const decide = (o: Partial<Parameters<typeof decideCasing>[0]>) =>
  decideCasing({
    source: 'vocab.txt',
    inFiles: undefined,
    settingSource: 'tokenizer_config.json',
    requested: undefined,
    ...o,
  });

test("the tokenizer's files take precedence, and a conflicting do_lower_case is reported as a warning", () => {
  expect(decide({ inFiles: true, requested: true }).warnings).toEqual([]);
  const { lowercase, warnings } = decide({ inFiles: true, requested: false });
  expect(lowercase).toBe(true);
  expect(warnings).toEqual([
    'do_lower_case is false, but tokenizer_config.json has true (vocab.txt): the tokenizer takes precedence, text is lower-cased',
  ]);
});

test.each([
  [{ requested: false, name: 'bert-base-uncased', vocabulary: ['a'] }, false, 'because of do_lower_case'],
  [{ name: 'bert-base-uncased', vocabulary: ['A'] }, true, 'because of its name, bert-base-uncased'],
  [{ name: 'biomegatron-bert-345m-cased', vocabulary: ['a'] }, false, 'because of its name'],
  [
    { name: 'my-bert', vocabulary: ['[CLS]', '[unused1]', 'a', 'Paris'] },
    false,
    'because of the capitals in its vocabulary',
  ],
  [
    { name: 'my-bert', vocabulary: ['[CLS]', '[MASK]', '<S>', 'a', 'paris', '中'] },
    true,
    'because of a vocabulary without capitals',
  ],
])(
  'without a setting in the files, do_lower_case, then the name, then the vocabulary decides: %j',
  (options, lowercase, reason) => {
    const casing = decide(options);
    expect(casing.lowercase).toBe(lowercase);
    expect(casing.notes.join('\n')).toContain(reason);
    expect(casing.warnings).toEqual([]);
  },
);
