import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { goldenPath, withFolder } from '@nautil/testing';
import { TokenizerError } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';

interface Files {
  /** From the name of a file to its path in the golden set. */
  files: Record<string, string>;

  /** From the name of a file to its content. */
  json: Record<string, JsonObject>;
}

interface Folder extends Files {
  vocab_size: number;
  pad_id: number;

  /** Of the texts of the recording. */
  ids: number[][];
  truncated: number[];
  pairs: { first: string; second: string; max_length: number | null; ids: number[]; type_ids: number[] }[];
}

// Recorded by tests/golden/record/tokenizer_folders.py.
const recording = goldenPath('tokenizer-folders.json');
const golden = dirname(recording);
const { texts, rules, rejected } = JSON.parse(readFileSync(recording, 'utf8')) as {
  texts: string[];
  rules: Record<string, Record<string, Folder>>;
  rejected: Record<string, Files & { message: string }>;
};

const filesOf = ({ files, json }: Files): Record<string, string | Uint8Array> => ({
  ...Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(join(golden, path))])),
  ...Object.fromEntries(Object.entries(json).map(([name, content]) => [name, JSON.stringify(content)])),
});

describe.each(Object.entries(rules))('as in transformers, %s', (_, folders) => {
  test.each(Object.entries(folders))('%s', async (__, folder) => {
    await withFolder(filesOf(folder), async (path) => {
      const tokenizer = await loadTokenizer({ folder: path });
      expect(tokenizer).toMatchObject({ vocabSize: folder.vocab_size, padId: folder.pad_id });
      expect(texts.map((text) => [text, tokenizer.encode(text)])).toEqual(
        texts.map((text, at) => [text, folder.ids[at]]),
      );
      expect(tokenizer.encode('the plot '.repeat(9), 9)).toEqual(folder.truncated);
      for (const { first, second, max_length: maxLength, ids, type_ids: typeIds } of folder.pairs)
        expect(tokenizer.encodePair(first, second, maxLength ?? undefined)).toMatchObject({ ids, typeIds });
    });
  });
});

test.each(Object.entries(rejected))('as in transformers, %s is rejected', async (_, { message, ...folder }) => {
  await withFolder(filesOf(folder), async (path) => {
    const loading = loadTokenizer({ folder: path });
    await expect(loading).rejects.toThrow(TokenizerError);
    await expect(loading).rejects.toThrow(message);
  });
});
