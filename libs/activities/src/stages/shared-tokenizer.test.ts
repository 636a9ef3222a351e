import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { sharedTokenizer } from './shared-tokenizer.js';

const vocabulary = (...words: string[]): string => ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...words, ''].join('\n');

test('a tokenizer is loaded once from the same files, and again from a file with other words of the same size and time', async () => {
  await withFolder({ 'vocab.txt': vocabulary('good') }, async (folder) => {
    const file = join(folder, 'vocab.txt');
    const first = await sharedTokenizer({ folder });
    expect(await sharedTokenizer({ folder })).toBe(first);
    expect(await sharedTokenizer({ folder, mode: 'nemo' })).not.toBe(first);
    const { atime, mtime } = await stat(file);
    await writeFile(file, vocabulary('evil'));
    await utimes(file, atime, mtime);
    expect((await sharedTokenizer({ folder })).encode('evil')).toEqual([2, 4, 3]);
  });
});

test('a tokenizer that cannot be loaded is tried again', async () => {
  await withFolder({ 'vocab.txt': vocabulary('good') }, async (folder) => {
    const options = { vocabFile: join(folder, 'vocab.txt'), specialTokens: { pad_token: '[NONE]' } };
    await expect(sharedTokenizer(options)).rejects.toThrow('[NONE]');
    await expect(sharedTokenizer(options)).rejects.toThrow('[NONE]');
    expect((await sharedTokenizer({ vocabFile: options.vocabFile })).encode('good')).toEqual([2, 4, 3]);
  });
});
