import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Example } from '@nautil/contracts';
import { goldenPath, withFolder } from '@nautil/testing';
import { buildTokenCache, type TokenCacheSummary } from './build-token-cache.js';
import { TokenizerError } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';
import { tokenizeChunk } from './tokenize-chunk.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';

const words = 'the film is a gorgeous witty seductive movie'.split(' ');

async function* examples(count: number): AsyncGenerator<Example> {
  for (let row = 0; row < count; row++) {
    const text = Array.from({ length: 1 + (row % 7) }, (_, at) => words[(row + at * 3) % words.length]).join(' ');
    yield { line: row + 1, text, label: row % 2 };
  }
}

/** Builds a cache, and counts the texts that the calling thread tokenizes, each of which takes `textMs` more. */
async function build(o: {
  count: number;
  numWorkers: number;
  textMs: number;
}): Promise<{ summary: TokenCacheSummary; own: number }> {
  const { definition, ...tokenizer } = await tokenizerOf();
  let own = 0;
  const counting: Tokenizer = {
    ...tokenizer,
    definition,
    appendBodyIds: (...args) => {
      own++;
      const until = performance.now() + o.textMs;
      while (performance.now() < until);
      tokenizer.appendBodyIds(...args);
    },
  };
  return withFolder({}, async (folder) => {
    const out = join(folder, 'a.tokens');
    const key = '00'.repeat(32);
    const summary = await buildTokenCache({
      ...o,
      examples: examples(o.count),
      out,
      tokenizer: counting,
      maxLength: 8,
      key,
    });
    return { summary: { ...summary, path: '' }, own };
  });
}

async function tokenizerOf(): Promise<Tokenizer> {
  const tokenizer = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased') });
  const { name, mode, vocabSize, padId, digest, definition } = tokenizer;
  return {
    ...{ name, mode, vocabSize, padId, digest, definition },
    encode: (...args) => tokenizer.encode(...args),
    encodePair: (...args) => tokenizer.encodePair(...args),
    bodyIds: (...args) => tokenizer.bodyIds(...args),
    appendBodyIds: (...args) => tokenizer.appendBodyIds(...args),
    tokens: (...args) => tokenizer.tokens(...args),
    tokenOf: (id) => tokenizer.tokenOf(id),
    vocabulary: () => tokenizer.vocabulary(),
  };
}

test('threads tokenize texts of a slow tokenizer, too, and the file has the same bytes', async () => {
  const count = 40_000;
  const { summary, own } = await build({ count, numWorkers: 1, textMs: 0.13 });
  expect(own).toBeGreaterThanOrEqual(8192);
  expect(own).toBeLessThan(count);
  expect(summary).toEqual((await build({ count, numWorkers: 0, textMs: 0 })).summary);
}, 60_000);

test('where reading takes most of the time, no thread is started', async () => {
  const { own } = await build({ count: 20_000, numWorkers: 2, textMs: 0 });
  expect(own).toBe(20_000);
});

test.each([
  [2, 2],
  [1, 3],
  [4, 1],
])('a length without room for %d special tokens before and %d after a text is an error', async (before, after) => {
  const { definition } = await tokenizerOf();
  const [prefixIds, suffixIds] = [new Array<number>(before).fill(2), new Array<number>(after).fill(3)];
  const tokenizer = createTokenizer({ ...definition, prefixIds, suffixIds });
  for (const maxLength of [3, before + after - 1])
    expect(() => tokenizeChunk(tokenizer, ['a film'], maxLength)).toThrow(TokenizerError);
  const { ids, truncated } = tokenizeChunk(tokenizer, ['a film', ''], before + after);
  expect([...ids]).toEqual([...prefixIds, ...suffixIds, ...prefixIds, ...suffixIds]);
  expect(truncated).toBe(1);
});
