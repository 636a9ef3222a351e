import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { TokenizerError } from './errors.js';
import { parseSentencePieceModel, pieceTypes } from './sentence-piece-model.js';

const file = goldenPath('tokenizers/deberta-v2/spm.model');
const bytes = readFileSync(file);

test('a model has its pieces with their scores, and the id of the unknown token', () => {
  const { pieces, unknownId, charsmap } = parseSentencePieceModel(bytes, file);
  expect(pieces[unknownId]?.piece).toBe('<unk>');
  expect(pieces.filter(({ type }) => type === pieceTypes.control).map(({ piece }) => piece)).toEqual(['<s>', '</s>']);
  expect(Math.max(...pieces.slice(3).map(({ score }) => score))).toBeLessThan(0);
  expect(charsmap).toHaveLength(0);
});

test('a model that is cut off anywhere is rejected, or has fewer pieces', () => {
  const { length } = parseSentencePieceModel(bytes, file).pieces;
  for (let end = 0; end < bytes.length; end += 7) {
    try {
      expect(parseSentencePieceModel(bytes.subarray(0, end), file).pieces.length).toBeLessThanOrEqual(length);
    } catch (error) {
      expect(error).toBeInstanceOf(TokenizerError);
    }
  }
});

test.each<[string, Uint8Array, RegExp]>([
  ['an empty file', new Uint8Array(0), /it has no pieces/],
  ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /is not a SentencePiece model/],
  ['a score that is no number', Buffer.from('0a080a0161150000c07f', 'hex'), /the score of "a" is no number/],
  ['a piece beyond the file', Buffer.from([0x0a, 9, 0x0a]), /beyond the end of the file/],
  ['a piece that ends in a field', Buffer.from([0x0a, 2, 0x0a, 2, 0x61, 0x61]), /beyond the end of its message/],
])('%s is rejected', (_, damaged, problem) => {
  expect(() => parseSentencePieceModel(damaged, 'spiece.model')).toThrow(TokenizerError);
  expect(() => parseSentencePieceModel(damaged, 'spiece.model')).toThrow(problem);
});
