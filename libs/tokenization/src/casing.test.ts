import { expect, test } from '@jest/globals';
import { decideCasing } from './casing.js';

const decide = (o: Partial<Parameters<typeof decideCasing>[0]>) =>
  decideCasing({
    source: 'vocab.txt',
    tokenizerSays: undefined,
    saidBy: 'tokenizer_config.json',
    asked: undefined,
    ...o,
  });

test('the tokenizer decides, and a contrary do_lower_case is a warning that says who won', () => {
  expect(decide({ tokenizerSays: true, asked: true }).warnings).toEqual([]);
  const { lowercase, warnings } = decide({ tokenizerSays: true, asked: false });
  expect(lowercase).toBe(true);
  expect(warnings).toEqual([
    'do_lower_case is false, but tokenizer_config.json says true (vocab.txt): the tokenizer wins, text is lower-cased',
  ]);
});

test.each([
  [{ asked: false, name: 'bert-base-uncased', vocabulary: ['a'] }, false, 'by do_lower_case'],
  [{ name: 'bert-base-uncased', vocabulary: ['A'] }, true, 'by its name, bert-base-uncased'],
  [{ name: 'biomegatron-bert-345m-cased', vocabulary: ['a'] }, false, 'by its name'],
  [{ name: 'my-bert', vocabulary: ['[CLS]', '[unused1]', 'a', 'Paris'] }, false, 'by the capitals in its vocabulary'],
  [
    { name: 'my-bert', vocabulary: ['[CLS]', '[MASK]', '<S>', 'a', 'paris', '中'] },
    true,
    'by a vocabulary without capitals',
  ],
])('else what is asked, else the name, else the vocabulary: %j', (o, lowercase, by) => {
  const casing = decide(o);
  expect(casing.lowercase).toBe(lowercase);
  expect(casing.notes.join('\n')).toContain(by);
  expect(casing.warnings).toEqual([]);
});
