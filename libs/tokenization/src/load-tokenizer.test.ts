import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { TokenizerError } from './errors.js';
import { type LoadedTokenizer, loadTokenizer, type TokenizerOptions } from './load-tokenizer.js';
import { unigramJson } from './testing/unigram-json.js';
import { createTokenizer } from './tokenizer.js';

const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '[E1]', 'fine', 'film', '##s', '.', '__proto__', '1'];
const files = { 'vocab.txt': tokens.join('\n') + '\n' };

const load = (
  content: Record<string, string>,
  options: (folder: string) => TokenizerOptions = (folder) => ({ folder }),
): Promise<LoadedTokenizer> => withFolder(content, (folder) => loadTokenizer(options(folder)));

test('a vocab.txt gives a BERT tokenizer with words, pieces, unknown tokens and special tokens', async () => {
  const tokenizer = await load(files);
  expect(tokenizer.name).toBe('BertTokenizer');
  expect(tokenizer.tokens('Fine films[MASK] qwerty.')).toEqual([
    '[CLS]',
    'fine',
    'film',
    '##s',
    '[MASK]',
    '[UNK]',
    '.',
    '[SEP]',
  ]);
  expect(tokenizer.encode('')).toEqual([2, 3]);
  expect(tokenizer).toMatchObject({ vocabSize: tokens.length, padId: 0, mode: 'standard' });
  expect([...tokenizer.vocabulary()]).toEqual(tokens.map((token, id) => [token, id]));
  // Names that JavaScript's objects treat in their own way.
  expect(tokenizer.vocabulary().get('__proto__')).toBe(10);
  expect(tokenizer.encode('1')).toEqual([2, 11, 3]);
});

test('a long text is truncated to exactly maxLength ids, including [CLS] and [SEP]', async () => {
  const tokenizer = await load(files);
  const text = 'fine film '.repeat(50);
  for (const maxLength of [2, 3, 4, 50, 101, 102, 103]) {
    const ids = tokenizer.encode(text, maxLength);
    expect(ids).toHaveLength(Math.min(maxLength, 102));
    expect([ids[0], ids.at(-1)]).toEqual([2, 3]);
  }
  expect(tokenizer.encode(text, 0)).toHaveLength(102);
  expect(tokenizer.encode(text, -1)).toHaveLength(102);
  expect(() => tokenizer.encode(text, 1)).toThrow(TokenizerError);
});

test('the casing follows tokenizer_config.json, then do_lower_case, then the vocabulary, then the name', async () => {
  const withConfig = { ...files, 'tokenizer_config.json': '{"do_lower_case": false}' };
  const configured = await load(withConfig, (folder) => ({ folder, doLowerCase: true }));
  expect(configured.tokens('Fine')).toEqual(['[CLS]', '[UNK]', '[SEP]']);
  expect(configured.warnings.join('\n')).toMatch(
    /do_lower_case is true, but tokenizer_config.json has false .* the tokenizer takes precedence/,
  );
  const asked = await load(files, (folder) => ({ folder, doLowerCase: false, name: 'bert-base-uncased' }));
  expect(asked.tokens('Fine')).toEqual(['[CLS]', '[UNK]', '[SEP]']);
  const named = await load(files, (folder) => ({ folder, name: 'bert-base-cased' }));
  expect(named.tokens('Fine')).toEqual(['[CLS]', 'fine', '[SEP]']);
  expect(named.notes.join('\n')).toMatch(
    /lower-cased, because of a vocabulary without capitals, although its name is bert-base-cased/,
  );
  const digits = { 'vocab.txt': '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n1\n' };
  const undecided = await load(digits, (folder) => ({ folder, name: 'x/bert-base-cased' }));
  expect(undecided.notes.join('\n')).toMatch(/not lower-cased, because of its name, x\/bert-base-cased/);
});

test('do_lower_case: false in tokenizer_config.json decides, and other than true, false or null it is an error', async () => {
  const withConfig = (value: string) =>
    load({ ...files, 'tokenizer_config.json': `{"do_lower_case": ${value}}` }, (folder) => ({
      folder,
      name: 'bert-base-uncased',
    }));
  const configured = await withConfig('false');
  expect(configured.tokens('Fine')).toEqual(['[CLS]', '[UNK]', '[SEP]']);
  expect(configured.notes.join()).toMatch(/text is not lower-cased, because of tokenizer_config\.json/);
  expect(configured.warnings).toEqual([expect.stringMatching(/but the vocabulary has no capitals/)]);
  expect((await withConfig('null')).tokens('Fine')).toEqual(['[CLS]', 'fine', '[SEP]']);
  await expect(withConfig('"false"')).rejects.toThrow(/do_lower_case is "false", which is neither true nor false/);
});

test('a file that is not UTF-8 is rejected, because replaced bytes would merge different tokens', async () => {
  await withFolder({ 'vocab.txt': Buffer.from('[PAD]\n[UNK]\n[CLS]\n[SEP]\ncaf\xe9\n', 'latin1') }, async (folder) => {
    await expect(loadTokenizer({ folder })).rejects.toThrow(/vocab\.txt is not valid UTF-8/);
  });
});

test('special_tokens can name other tokens of the vocabulary', async () => {
  const tokenizer = await load(files, (folder) => ({ folder, specialTokens: { cls_token: '[E1]', pad_token: '.' } }));
  expect(tokenizer.encode('fine [E1] film')).toEqual([5, 6, 5, 7, 3]);
  expect(tokenizer.padId).toBe(9);
});

test('special_tokens also apply to a tokenizer.json', async () => {
  const made = await load(files);
  const json = JSON.stringify(made.definition.json);
  const tokenizer = await load({ 'tokenizer.json': json }, (folder) => ({
    folder,
    specialTokens: { cls_token: '[E1]' },
  }));
  expect(tokenizer.encode('[E1]fine')).toEqual([5, 5, 6, 3]);
});

test.each([
  [{ specialTokens: { cls_token: '[NEW]' } }, /"\[NEW\]" is not in the vocabulary/],
  [{ specialTokens: { start_token: '[CLS]' } }, /special_tokens\.start_token is not a special token/],
  [{ name: 'sentencepiece' }, /"sentencepiece" is not supported/],
  [{ name: 'word' }, /"word" is not supported/],
  [{ name: 'char' }, /"char" is not supported/],
  [{ name: 'regex' }, /"regex" is not supported/],
  [{ name: 'yttm' }, /"yttm" is not supported/],
])('%j is rejected by name', async (options, message) => {
  await expect(load(files, (folder) => ({ folder, ...options }))).rejects.toThrow(message);
  await expect(load(files, (folder) => ({ folder, ...options }))).rejects.toThrow(TokenizerError);
});

test.each<[string, Record<string, string>, RegExp]>([
  [
    'an empty folder',
    {},
    /it contains none of tokenizer\.json, vocab\.txt, vocab\.json, sentencepiece\.bpe\.model, spiece\.model and spm\.model/,
  ],
  [
    'a damaged SentencePiece model',
    { 'sentencepiece.bpe.model': 'x' },
    /is not a SentencePiece model: index out of range/,
  ],
  ['broken JSON', { 'tokenizer.json': '{"model": ' }, /tokenizer\.json is not valid JSON/],
  ['JSON of another kind', { 'tokenizer.json': '{"a": 1}' }, /is not a tokenizer\.json: it has no model\.vocab/],
  [
    'a model of another type',
    { 'tokenizer.json': '{"model": {"type": "WordLevel", "vocab": {}}}' },
    /type WordLevel is not supported/,
  ],
  [
    'a vocabulary without [CLS]',
    { 'vocab.txt': '[PAD]\n[UNK]\n[SEP]\na\n' },
    /cls_token "\[CLS\]" is not in the vocabulary/,
  ],
  ['ids that are not numbers', { 'vocab.json': '{"a": "b"}' }, /the id of "a" is not a whole number/],
  ['a negative id', { 'vocab.json': '{"a": -1}' }, /the id of "a" is not a whole number from 0 to 999999/],
  ['an id above all vocabularies', { 'vocab.json': '{"a": 0, "b": 2147483648}' }, /the id of "b" is not/],
  ['an id that is no integer of float64', { 'vocab.json': '{"a": 1e300}' }, /the id of "a" is not/],
])('%s is rejected with an explanation', async (_, content, message) => {
  await expect(load(content)).rejects.toThrow(message);
});

test('a missing file is named', async () => {
  await expect(loadTokenizer({ vocabFile: 'nowhere/vocab.txt' })).rejects.toThrow(/nowhere\/vocab\.txt cannot be read/);
  await expect(loadTokenizer({})).rejects.toThrow(/neither a folder nor a file/);
});

test("vocab_file takes precedence over the folder's vocabulary, but not over its options", async () => {
  const content = {
    'a/vocab.txt': 'x\n',
    'a/tokenizer_config.json': '{"do_lower_case": false}',
    'b.txt': files['vocab.txt'],
  };
  const tokenizer = await load(content, (folder) => ({ folder: join(folder, 'a'), vocabFile: join(folder, 'b.txt') }));
  expect(tokenizer.tokens('fine Fine')).toEqual(['[CLS]', 'fine', '[UNK]', '[SEP]']);
  expect(tokenizer.files.vocab).toMatch(/b\.txt$/);
});

test('equal definitions have equal digests, and every change of ids changes the digest', async () => {
  const tokenizer = await load(files);
  const digests = new Set([
    tokenizer.digest,
    (await load(files, (folder) => ({ folder, mode: 'nemo' }))).digest,
    (await load(files, (folder) => ({ folder, doLowerCase: false }))).digest,
    (await load(files, (folder) => ({ folder, specialTokens: { cls_token: '[E1]' } }))).digest,
    (await load({ 'vocab.txt': `${files['vocab.txt']}more\n` })).digest,
  ]);
  expect(digests.size).toBe(5);
  expect((await load(files)).digest).toBe(tokenizer.digest);
  expect(createTokenizer(structuredClone(tokenizer.definition)).digest).toBe(tokenizer.digest);
});

/** A byte-level vocabulary: Ġ stands for the space before a word. */
const byteLevel = {
  'vocab.json': JSON.stringify(
    Object.fromEntries(
      ['<s>', '<pad>', '</s>', '<unk>', '<mask>', 'a', 'b', 'Ġ', 'ab', 'Ġab'].map((token, id) => [token, id]),
    ),
  ),
  'merges.txt': '#version: 0.2\na b\nĠ ab\n',
};

test('vocab.json with merges.txt gives a RoBERTa tokenizer, whose tokens include the preceding space', async () => {
  const standard = await load(byteLevel);
  expect(standard).toMatchObject({ name: 'RobertaTokenizer', padId: 1 });
  expect(standard.tokens('ab ab')).toEqual(['<s>', 'ab', 'Ġab', '</s>']);
  expect(standard.tokens('ab <mask>b')).toEqual(['<s>', 'ab', '<mask>', 'b', '</s>']);
  const nemo = await load(byteLevel, (folder) => ({ folder, mode: 'nemo' }));
  expect(nemo.tokens('ab ab')).toEqual(['<s>', 'ab', 'ab', '</s>']);
});

test('without merges.txt, merges are reconstructed with a note, or an error asks for the file', async () => {
  const rebuilt = await load({ 'vocab.json': byteLevel['vocab.json'] });
  expect(rebuilt.tokens('ab ab')).toEqual(['<s>', 'ab', 'Ġab', '</s>']);
  expect(rebuilt.notes.join('\n')).toMatch(/there is no merges\.txt: 2 merges were reconstructed/);
  const byFrequency = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, Ġab: 4, a: 5, b: 6, Ġ: 7, ab: 8 };
  await expect(load({ 'vocab.json': JSON.stringify(byFrequency) })).rejects.toThrow(/"Ġab" into 3 parts/);
});

test('a Unigram tokenizer.json (CamemBERT, XLM-R) chooses the most likely pieces', async () => {
  const json = unigramJson([
    ['▁fine', -2],
    ['▁', -5],
    ['fi', -4],
    ['ne', -4],
    ['▁film', -2],
    ['s', -3],
  ]);
  const content = { 'tokenizer.json': JSON.stringify(json), 'config.json': '{"model_type": "xlm-roberta"}' };
  for (const mode of ['standard', 'nemo'] as const) {
    const tokenizer = await load(content, (folder) => ({ folder, mode }));
    expect(tokenizer).toMatchObject({ name: 'XLMRobertaTokenizer', padId: 1, mode });
    expect(tokenizer.tokens('fine  films')).toEqual(['<s>', '▁fine', '▁film', 's', '</s>']);
  }
});

test.each<[string, Record<string, string>, RegExp]>([
  [
    'BertJapaneseTokenizer',
    { tokenizer_class: 'BertJapaneseTokenizer' },
    /BertJapaneseTokenizer \(tokenizer_config\.json\) is not supported: it divides .* MeCab/,
  ],
  [
    'a class with Fast',
    { tokenizer_class: 'RoFormerTokenizerFast' },
    /RoFormerTokenizer \(tokenizer_config\.json\) is not supported: .* jieba/,
  ],
  ['MeCab', { word_tokenizer_type: 'mecab' }, /word_tokenizer_type "mecab" is not supported: a program outside/],
  ['characters', { subword_tokenizer_type: 'character' }, /subword_tokenizer_type "character" is not supported/],
])('a tokenizer that needs a program is rejected by name: %s', async (_, config, message) => {
  await expect(load({ ...files, 'tokenizer_config.json': JSON.stringify(config) })).rejects.toThrow(message);
});

test.each(['BertJapaneseTokenizer', 'HerbertTokenizerFast', 'PhobertTokenizer'])(
  'a class of config.json that needs a program is rejected by name, unless tokenizer_config.json states another: %s',
  async (name) => {
    const content = { ...files, 'config.json': JSON.stringify({ model_type: 'bert', tokenizer_class: name }) };
    const shown = name.replace('Fast', '');
    await expect(load(content)).rejects.toThrow(`the tokenizer ${shown} (config.json) is not supported`);
    for (const stated of ['BertTokenizer', 'PreTrainedTokenizerFast']) {
      const config = JSON.stringify({ tokenizer_class: stated });
      expect((await load({ ...content, 'tokenizer_config.json': config })).encode('fine')).toEqual([2, 6, 3]);
    }
  },
);

test('special tokens have the roles of special_tokens_map.json, unless there is an added_tokens_decoder', async () => {
  const map = { cls_token: { content: '[E1]', lstrip: true }, sep_token: '.' };
  const config = { cls_token: 'film', sep_token: '[SEP]' };
  const content = { ...files, 'special_tokens_map.json': JSON.stringify(map) };
  const mapped = await load({ ...content, 'tokenizer_config.json': JSON.stringify(config) });
  expect(mapped.encode('fine')).toEqual([5, 6, 9]);
  const decoder = { ...config, added_tokens_decoder: { 6: { content: 'fine', rstrip: true } } };
  const decoded = await load({ ...content, 'tokenizer_config.json': JSON.stringify(decoder) });
  expect(decoded.encode('filmfine   1')).toEqual([7, 7, 6, 11, 3]);
});

test('a tokenizer that cuts texts at their beginning is rejected, except where NeMo cuts them', async () => {
  const { definition } = await load(files);
  const json = (direction: string) => ({
    'tokenizer.json': JSON.stringify({ ...definition.json, truncation: { direction }, padding: { direction } }),
  });
  const config = (side: string) => ({ 'tokenizer_config.json': `{"truncation_side": "${side}"}` });
  await expect(load({ ...files, ...config('left') })).rejects.toThrow(/truncation_side "left" is not supported/);
  await expect(load(json('Left'))).rejects.toThrow(/truncation_side "left" is not supported/);
  const overridden = await load({ ...json('Left'), ...config('right') });
  expect(overridden.notes.join()).toMatch(/padding_side "left" of the tokenizer has no effect/);
  expect((await load({ ...json('Right') })).notes.join()).not.toMatch(/_side/);
  const nemo = await load({ ...files, ...config('left') }, (folder) => ({ folder, mode: 'nemo' }));
  expect(nemo.encode('fine film 1', 4)).toEqual([2, 6, 7, 3]);
});

test('added_tokens.json adds tokens after the vocabulary', async () => {
  const tokenizer = await load({ ...files, 'added_tokens.json': '{"[NEW]": 12, "film.": 13}' });
  expect(tokenizer).toMatchObject({ vocabSize: tokens.length + 2 });
  expect(tokenizer.encode('fine[NEW]film.')).toEqual([2, 6, 12, 13, 3]);
});

test('a pair has the template of its family, and the longer text is shortened first', async () => {
  const bert = await load(files);
  expect(bert.encodePair('fine', 'film')).toEqual({
    ids: [2, 6, 3, 7, 3],
    typeIds: [0, 0, 0, 1, 1],
    firstLength: 3,
    isTruncated: false,
  });
  expect(bert.encodePair('fine fine fine', 'film', 6).isTruncated).toBe(true);
  expect(bert.encodePair('fine fine fine', 'film', 6).ids).toEqual([2, 6, 6, 3, 7, 3]);
  expect(() => bert.encodePair('fine', 'film', 2)).toThrow(TokenizerError);
  const roberta = await load(byteLevel);
  expect(roberta.encodePair('ab', 'ab')).toMatchObject({ ids: [0, 8, 2, 2, 8, 2], typeIds: [0, 0, 0, 0, 0, 0] });
});
