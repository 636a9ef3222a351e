import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Example } from '@nautil/contracts';
import { goldenPath, withFolder } from '@nautil/testing';
import { assembleBatch } from './assemble-batch.js';
import { buildTokenCache, tokenCacheKey, type TokenCacheSummary } from './build-token-cache.js';
import { CorruptCache, TokenizerError } from './errors.js';
import { loadTokenizer } from './load-tokenizer.js';
import { openTokenCache } from './token-cache.js';
import { tokenizeChunk } from './tokenize-chunk.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';

const words = 'the film is a gorgeous witty seductive movie'.split(' ');

const textOf = (row: number): string =>
  Array.from({ length: 1 + (row % 7) }, (_, at) => words[(row + at * 3) % words.length]).join(' ');

async function* examples(count: number): AsyncGenerator<Example> {
  for (let row = 0; row < count; row++) yield { line: row + 1, text: textOf(row), label: row % 2 };
}

async function* pairs(count: number): AsyncGenerator<Example> {
  for await (const example of examples(count)) yield { ...example, textPair: textOf(3 * example.line) };
}

/** Builds a cache of pairs of at most 12 tokens. */
const buildPairs = (tokenizer: Tokenizer, out: string, o: { count: number; numWorkers: number }) =>
  buildTokenCache({
    examples: pairs(o.count),
    pairs: true,
    out,
    tokenizer,
    maxLength: 12,
    key: tokenCacheKey({ textSha256: 'a', tokenizerDigest: 'b', maxLength: 12, pairs: true }),
    numWorkers: o.numWorkers,
  });

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
    expect(() => tokenizeChunk(tokenizer, { texts: ['a film'] }, maxLength)).toThrow(TokenizerError);
  const { ids, truncated } = tokenizeChunk(tokenizer, { texts: ['a film', ''] }, before + after);
  expect([...ids]).toEqual([...prefixIds, ...suffixIds, ...prefixIds, ...suffixIds]);
  expect(truncated).toBe(1);
});

test('a cache of pairs has their ids and segments, and those of encodePair', async () => {
  await withFolder({}, async (folder) => {
    const tokenizer = await tokenizerOf();
    const out = join(folder, 'pairs.tokens');
    const summary = await buildPairs(tokenizer, out, { count: 600, numWorkers: 0 });
    const cache = openTokenCache(out);
    let truncated = 0;
    for (let row = 0; row < 600; row++) {
      const { ids, typeIds, isTruncated } = tokenizer.encodePair(textOf(row), textOf(3 * (row + 1)), 12);
      expect([...cache.ids(row)]).toEqual(ids);
      expect(cache.firstLength(row)).toBe(typeIds.indexOf(1));
      if (isTruncated) truncated++;
    }
    expect(cache.pairs).toBe(true);
    expect(summary.truncated).toBe(truncated);
    expect(truncated).toBeGreaterThan(0);
    expect(summary.samples[0]).toMatchObject({ typeIds: tokenizer.encodePair(textOf(0), textOf(3), 12).typeIds });
    const { ids, types, mask, length } = assembleBatch(cache, Int32Array.of(6, 0));
    expect(types).toHaveLength(2 * length);
    const shorter = [...types!.subarray(length)];
    const second = tokenizer.encodePair(textOf(0), textOf(3), 12);
    // Padding is of type 0, as in transformers.
    expect(shorter).toEqual([...second.typeIds, ...new Array<number>(length - second.ids.length).fill(0)]);
    expect([...ids.subarray(length, length + second.ids.length)]).toEqual(second.ids);
    expect([...mask.subarray(length)].reduce((sum, value) => sum + value)).toBe(second.ids.length);
    cache.close();
  });
});

test('threads tokenize pairs into the same bytes', async () => {
  await withFolder({}, async (folder) => {
    const { definition } = await tokenizerOf();
    const tokenizer = createTokenizer(definition);
    const slow: Tokenizer = Object.assign(Object.create(tokenizer) as Tokenizer, {
      definition,
      encodePair: (...args: Parameters<Tokenizer['encodePair']>) => {
        const until = performance.now() + 0.15;
        while (performance.now() < until);
        return tokenizer.encodePair(...args);
      },
      tokenOf: (id: number) => tokenizer.tokenOf(id),
    });
    const digestOf = async (by: Tokenizer, numWorkers: number): Promise<string> =>
      (await buildPairs(by, join(folder, `${numWorkers}.tokens`), { count: 20_000, numWorkers })).digest;
    expect(await digestOf(slow, 1)).toBe(await digestOf(tokenizer, 0));
  });
}, 60_000);

test('caches of single texts and of pairs have different keys, and each kind is read for what it is', async () => {
  const identity = { textSha256: 'a', tokenizerDigest: 'b', maxLength: 8 };
  expect(tokenCacheKey({ ...identity, pairs: true })).not.toBe(tokenCacheKey(identity));
  expect(tokenCacheKey({ ...identity, pairs: false })).toBe(tokenCacheKey(identity));
  await withFolder({}, async (folder) => {
    const tokenizer = await tokenizerOf();
    const out = join(folder, 'a.tokens');
    await buildTokenCache({ examples: examples(300), out, tokenizer, maxLength: 8, key: '00'.repeat(32) });
    const cache = openTokenCache(out);
    expect(cache.pairs).toBe(false);
    expect(cache.firstLength(299)).toBe(cache.lengths[299]);
    expect(assembleBatch(cache, Int32Array.of(0))).not.toHaveProperty('types');
    cache.close();
    const bytes = readFileSync(out);
    expect(bytes.readUInt32LE(8)).toBe(1); // the version that caches of single texts had before pairs
    bytes.writeUInt32LE(3, 8);
    writeFileSync(out, bytes);
    expect(() => openTokenCache(out)).toThrow(CorruptCache);
    expect(() => openTokenCache(out)).toThrow(/version 3, but this program reads versions 1 and 2/);
  });
});
