import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';
import { parseSentencePieceModel } from './sentence-piece-model.js';

const file = goldenPath('tokenizers/albert/spiece.model');
const { charsmap: bytes } = parseSentencePieceModel(readFileSync(file), file);

test.each([
  ['ﬁne ½', 'fine 1⁄2'],
  // Of six bytes: character by character.
  ['\uff76\uff9e', '\u30ab\u3099'],
  // Five bytes in one cluster are replaced by the replacement of their beginning; six are not.
  ['ﬁ\u0301', 'fi'],
  ['ﬁ\u0301\u0301', 'fi\u0301\u0301'],
  ['a\tb\u200bc\u3000d', 'a b c d'],
  ['~ ～', '~ ～'],
  ['plain text', 'plain text'],
  ['', ''],
])('%j becomes %j', (text, normal) => {
  expect(new PrecompiledCharsmap(bytes).normalize(text)).toBe(normal);
});

test('the longest replacement bounds the length of a text', () => {
  const charsmap = new PrecompiledCharsmap(bytes);
  expect(charsmap.normalize('ﷺ')).toHaveLength(charsmap.longestReplacement);
});

test.each<[string, Uint8Array, RegExp]>([
  ['nothing', new Uint8Array(0), /no complete trie/],
  ['a trie that is cut off', bytes.subarray(0, 1000), /no complete trie/],
  ['a trie of three bytes', Uint8Array.of(3, 0, 0, 0, 1, 2, 3), /no complete trie/],
  ['replacements that are no text', Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 0xff]), /not UTF-8/],
])('%s is rejected', (_, damaged, problem) => {
  expect(() => new PrecompiledCharsmap(damaged)).toThrow(RangeError);
  expect(() => new PrecompiledCharsmap(damaged)).toThrow(problem);
});

test('offsets beyond the trie match nothing', () => {
  const trie = Buffer.alloc(8);
  trie.writeUInt32LE(4, 0);
  trie.writeUInt32LE(0xfffffc00, 4);
  expect(new PrecompiledCharsmap(Buffer.concat([trie, Buffer.from('x\0')])).normalize('abc')).toBe('abc');
});
