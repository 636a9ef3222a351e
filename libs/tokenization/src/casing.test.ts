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
    'do_lower_case is false, but tokenizer_config.json has true (vocab.txt): the tokenizer takes precedence',
  ]);
});

test.each([
  [{ requested: false, name: 'bert-base-uncased', vocabulary: ['A'] }, false, 'because of do_lower_case'],
  [{ requested: true, name: 'bert-base-cased', vocabulary: ['a'] }, true, 'because of do_lower_case'],
  [
    { name: 'bert-base-uncased', vocabulary: ['a', 'Paris'] },
    false,
    'because of the capitals in its vocabulary (such as Paris), although its name is bert-base-uncased',
  ],
  [
    { name: 'biomegatron-bert-345m-cased', vocabulary: ['a'] },
    true,
    'because of a vocabulary without capitals, although its name is biomegatron-bert-345m-cased',
  ],
  [{ name: 'bert-base-uncased', vocabulary: ['中'] }, true, 'because of its name, bert-base-uncased'],
  [{ name: 'a/my_CASED.v2', vocabulary: ['中'] }, false, 'because of its name'],
  [{ name: 'my-bert', vocabulary: ['中', '7'] }, true, 'because of the default for BERT'],
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
  'without a setting in the files, do_lower_case, then the vocabulary, then the name decides: %j',
  (options, lowercase, reason) => {
    const casing = decide(options);
    expect(casing.lowercase).toBe(lowercase);
    expect(casing.notes.join('\n')).toContain(reason);
    expect(casing.warnings).toEqual([]);
  },
);

const codePoints = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

test('only letters that lower-casing changes are capitals, over all of Unicode', () => {
  const letters = codePoints.filter((character) => /\p{L}/u.test(character));
  const cased = letters.filter((letter) => !decide({ vocabulary: ['a', letter] }).lowercase);
  expect(cased).toEqual(letters.filter((letter) => letter.toLowerCase() !== letter));
  // Each of them: Latin, Georgian Mtavruli, Cherokee, titlecase digraphs, capital sharp s, dotted I, Deseret, Kelvin.
  expect(cased).toEqual(expect.arrayContaining(['A', 'Ა', 'Ꭰ', 'ǅ', 'ẞ', 'İ', '𐐀', 'K']));
  const unchanged = ['𝒜', '𝔸', 'ϒ', 'ß', 'ı', 'ა', 'ꭰ', 'ʰ', 'ª', '中', 'א', 'ſ'];
  expect(unchanged.filter((letter) => cased.includes(letter))).toEqual([]);
});

test('a vocabulary of lower-cased text is uncased, whatever characters it has', () => {
  expect(decide({ vocabulary: codePoints.map((character) => character.toLowerCase()) }).lowercase).toBe(true);
});

test('special tokens are no evidence of capitals', () => {
  expect(decide({ vocabulary: ['a', '[E1]', '<S>', 'START'], specialTokens: ['START'] }).lowercase).toBe(true);
});

test.each([
  ['bert-base-uncased', true],
  ['google/bert_uncased_L-2_H-128_A-2', true],
  ['models/bert-base-cased/', false],
  ['C:\\models\\bert-base-cased', false],
  ['showcased/m', undefined],
  ['models/showcased', undefined],
  ['bert-base-cased/m', undefined],
  ['cased_vs_uncased/m', undefined],
  ['cased_vs_uncased', undefined],
  ['not-cased-at-all-uncased', undefined],
  ['encased2', undefined],
])('a name states the casing only by a whole word of its last component: %s', (name, lowercase) => {
  const casing = decide({ name, vocabulary: ['中'] });
  if (lowercase === undefined) expect(casing.notes.join()).toContain('because of the default');
  else expect(casing.notes.join()).toContain(`because of its name, ${name}`);
  expect(casing.lowercase).toBe(lowercase ?? true);
});

test.each([
  [{ requested: false, vocabulary: ['a'] }, false, /do_lower_case keeps capitals, but the vocabulary has no capitals/],
  [
    { inFiles: false, vocabulary: ['a'] },
    false,
    /tokenizer_config\.json keeps capitals, but the vocabulary has no capitals/,
  ],
  [
    { requested: true, vocabulary: ['A'] },
    true,
    /do_lower_case lower-cases text, but the vocabulary has capitals \(A\)/,
  ],
  [
    { inFiles: true, vocabulary: ['Éa'] },
    true,
    /tokenizer_config\.json lower-cases text, but the vocabulary has capitals \(Éa\)/,
  ],
])('an explicit statement decides, and a vocabulary that contradicts it is a warning: %j', (o, lowercase, warning) => {
  const casing = decide(o);
  expect(casing.lowercase).toBe(lowercase);
  expect(casing.warnings).toEqual([expect.stringMatching(warning)]);
});

test.each([
  { inFiles: true, requested: false },
  { inFiles: false, vocabulary: ['film'] },
  { requested: true, vocabulary: ['Film'] },
])('the note states the decision, and a warning does not repeat it: %j', (evidence) => {
  const { notes, warnings } = decide(evidence);
  expect(notes).toEqual([expect.stringMatching(/: text is (not )?lower-cased, because of /)]);
  expect(warnings).toEqual([expect.not.stringMatching(/text is (not )?lower-cased/)]);
});
