import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Example } from '@nautil/contracts';
import { splitWords } from '@nautil/python-format';
import { goldenPath, goldenSetWith, readGoldenJson, withFolder } from '@nautil/testing';
import { assembleBatch } from './assemble-batch.js';
import { buildTokenCache } from './build-token-cache.js';
import { lengthStatistics } from './length-statistics.js';
import { loadTokenizer, type TokenizerOptions } from './load-tokenizer.js';
import { planBatches } from './plan-batches.js';
import { openTokenCache } from './token-cache.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';

interface ParityFile {
  max_length: number;
  sentences: string[];
  models: Record<string, { rows: { input_ids: number[]; tokens: string[] }[] }>;
}

interface NemoTokenized {
  sentences: string[];
  max_seq_length: number;
  [model: string]: unknown;
}

interface NemoModelTokenized {
  ids: number[][];
  pad_id: number;
  vocab_size: number;
  collated: { input_ids: number[][]; input_mask: number[][] };
}

const parity = readGoldenJson('hf_parity.json') as ParityFile;
const models = Object.keys(parity.models);
const nemo = readGoldenJson('nemo', 'nemo_tokenize.json') as NemoTokenized;

/** The vocabulary files of a model's folder, without its tokenizer.json. */
function vocabularyOf(model: string): TokenizerOptions {
  const wordPiece = goldenPath(model, 'vocab.txt');
  return existsSync(wordPiece)
    ? { vocabFile: wordPiece }
    : { vocabFile: goldenPath(model, 'vocab.json'), mergesFile: goldenPath(model, 'merges.txt') };
}

describe("Hugging Face's fast tokenizers", () => {
  test.each(models)('give the same ids and tokens as %s', async (model) => {
    const tokenizer = await loadTokenizer({ folder: goldenPath(model) });
    const rows = parity.models[model]?.rows ?? [];
    expect(rows.length).toBe(parity.sentences.length);
    rows.forEach(({ input_ids, tokens }, at) => {
      expect(tokenizer.encode(parity.sentences[at] ?? '', parity.max_length)).toEqual(input_ids);
      expect(tokenizer.tokens(parity.sentences[at] ?? '', parity.max_length)).toEqual(tokens);
    });
  });

  test.each(models)('the vocabulary alone determines %s, including its casing', async (model) => {
    const tokenizer = await loadTokenizer(vocabularyOf(model));
    const ids = parity.sentences.map((sentence) => tokenizer.encode(sentence, parity.max_length));
    expect(ids).toEqual(parity.models[model]?.rows.map(({ input_ids }) => input_ids));
  });

  test.each(models.filter((model) => vocabularyOf(model).mergesFile))(
    'the merges of %s are reconstructed from its vocabulary',
    async (model) => {
      const { vocabFile = '', mergesFile = '' } = vocabularyOf(model);
      const tokenizer = await loadTokenizer({ vocabFile });
      const written = readFileSync(mergesFile, 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#version'));
      const { merges } = tokenizer.definition.json.model as { merges?: string[][] };
      expect(merges?.map((merge) => merge.join(' '))).toEqual(written);
      expect(tokenizer.notes.join('\n')).toMatch(new RegExp(`${written.length} merges were reconstructed`));
    },
  );

  test.each(['lower', 'cased'] as const)('give the same ids for the full vocabulary, %s', async (casing) => {
    const recorded = readGoldenJson('tokenize_real_vocab.json') as { vocab: string } & Record<
      'lower' | 'cased',
      { text: string; ids: number[] }[]
    >;
    const tokenizer = await loadTokenizer({ vocabFile: goldenPath(recorded.vocab), doLowerCase: casing === 'lower' });
    expect(recorded[casing].length).toBeGreaterThan(0);
    for (const { text, ids } of recorded[casing]) expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
  });

  test.each(models)('%s gives the same ids for cached words as for whole texts', async (model) => {
    const remembering = await loadTokenizer({ folder: goldenPath(model) });
    // A token that is looked for after normalizing, though it never occurs, keeps texts whole.
    const { json, ...definition } = remembering.definition;
    const never = {
      id: 0,
      content: '\u{10fffd}',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: true,
      special: false,
    };
    const whole = createTokenizer({ ...definition, json: { ...json, added_tokens: [...json.added_tokens, never] } });
    const unit = fc.constantFrom(
      'a',
      'B',
      'é',
      'e\u0301',
      'Σ',
      'İ',
      ' ',
      ' ',
      '  ',
      '\t',
      '\u0085',
      '\ufeff',
      '\u2028',
      "'s",
      '7',
      '-',
      '中',
      '𠀀',
      '😀',
      '[MASK]',
      '<mask>',
      '</s>',
      '\u0000',
      'the ',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        expect(remembering.encode(text)).toEqual(whole.encode(text));
      }),
      { numRuns: 400 },
    );
  });
});

describe('NeMo 1.23', () => {
  const nemoModels = models.filter((model) => nemo[model] !== undefined);

  test.each(nemoModels)('gives each sentence of %s the same ids as nemo mode', async (model) => {
    const recorded = nemo[model] as NemoModelTokenized;
    const tokenizer = await loadTokenizer({ folder: goldenPath(model), mode: 'nemo' });
    expect(tokenizer).toMatchObject({ padId: recorded.pad_id, vocabSize: recorded.vocab_size });
    expect(nemo.sentences.map((sentence) => tokenizer.encode(sentence, nemo.max_seq_length))).toEqual(recorded.ids);
  });

  test.each(nemoModels)('collates a batch for %s as Nautil does with NeMo’s padding', async (model) => {
    const { ids, collated } = nemo[model] as NemoModelTokenized;
    const tokenizer = await loadTokenizer({ folder: goldenPath(model), mode: 'nemo' });
    await withCache(tokenizer, nemo.sentences.map(unlabelled), nemo.max_seq_length, (cache) => {
      const batch = assembleBatch(cache, Int32Array.from(ids.keys()), { nemoPadding: true });
      expect(rowsOf(batch.ids, batch.length)).toEqual(collated.input_ids);
      expect(rowsOf(batch.mask, batch.length)).toEqual(collated.input_mask);
    });
  });

  test.each(['lower', 'cased'])('gives the same ids for the full vocabulary as Nautil, %s', async (casing) => {
    const tokenizer = await loadTokenizer({
      vocabFile: goldenPath('bert-base-uncased-vocab.txt'),
      doLowerCase: casing === 'lower',
      mode: 'nemo',
    });
    expect(nemo.sentences.map((sentence) => tokenizer.encode(sentence))).toEqual(nemo[`real_vocab_${casing}`]);
  });

  test.each([
    ['tiny_bert', 'bert-tiny-uncased'],
    ['tiny_bert_weighted_3layer', 'bert-tiny-cased'],
    ['tiny_distilbert', 'distilbert-tiny'],
    ['tiny_roberta', 'roberta-tiny'],
  ])('gave the rows of %s.nemo the same ids as Nautil', async (archive, model) => {
    const { rows } = readGoldenJson('nemo', `${archive}.nemo.expected.json`) as {
      rows: { text: string; input_ids: number[] }[];
    };
    const tokenizer = await loadTokenizer({ ...vocabularyOf(model), mode: 'nemo' });
    // Rows were cut at the archive's max_seq_length, which the longest of them has.
    const longest = Math.max(...rows.map(({ input_ids }) => input_ids.length));
    for (const { text, input_ids } of rows)
      expect({ text, ids: tokenizer.encode(text, longest) }).toEqual({ text, ids: input_ids });
  });

  test('gave unusual lines the same ids as Nautil', async () => {
    const features = readGoldenJson('nemo', 'edge_features.json') as { ids: number[]; tokens: string[] }[];
    const tokenizer = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased'), mode: 'nemo' });
    const encoded = linesOf(goldenPath('nemo', 'edge.tsv')).map((line) =>
      tokenizer.encode(splitWords(line).slice(0, -1).join(' ')),
    );
    expectInOrder(
      features.map(({ ids }) => ids),
      encoded,
    );
    features.forEach(({ ids, tokens }) => expect(ids.map((id) => tokenizer.tokenOf(id))).toEqual(tokens));
  });

  test('used the same unshuffled batches as Nautil', async () => {
    interface RecordedBatch {
      input_ids: number[][];
      attention_mask: number[][];
      labels: number[];
    }
    const batches = readGoldenJson('traj_batches.json') as RecordedBatch[];
    const examples = linesOf(goldenPath('nemo', 'traj_train.tsv')).flatMap((line, at) => {
      const words = splitWords(line);
      const label = Number(words.pop());
      return Number.isInteger(label) ? [{ text: words.join(' '), label, line: at + 1 }] : [];
    });
    const tokenizer = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased'), mode: 'nemo' });
    const longest = Math.max(...batches.map(({ input_ids }) => input_ids[0]?.length ?? 0));
    await withCache(tokenizer, examples, longest, (cache) => {
      const batchSize = batches[0]?.labels.length ?? 0;
      const plan = planBatches({ lengths: cache.lengths, batchSize, shuffle: false, dropLast: false, seed: 0 });
      const assembled = batches.map((_, index) => assembleBatch(cache, plan.rowsAt(0, index)));
      expect(assembled.map(({ ids, length }) => rowsOf(ids, length))).toEqual(
        batches.map(({ input_ids }) => input_ids),
      );
      expect(assembled.map(({ mask, length }) => rowsOf(mask, length))).toEqual(
        batches.map(({ attention_mask }) => attention_mask),
      );
      expect(assembled.map(({ labels }) => [...labels])).toEqual(batches.map(({ labels }) => labels));
    });
  });
});

describe('NeMo 1.8.2', () => {
  interface DatasetCase {
    input?: string;
    args?: { max_seq_length?: number; num_samples?: number };
    features?: [ids: number[], segments: number[], mask: number[], label: number][];
    log?: [level: string, text: string][];
  }
  const recorded = goldenSetWith('nemo-files');
  const cases = Object.entries(
    recorded.readJson('nemo-files/dataset_golden.json') as Record<string, DatasetCase>,
  ).filter(([, { input, features }]) => input !== undefined && features);
  const vocabulary = {
    vocabFile: recorded.path('bert-base-uncased-vocab.txt'),
    doLowerCase: true,
    mode: 'nemo',
  } as const;

  test.each(cases)(
    'makes the features of %s that we make, and logs our tokens',
    async (_, { input = '', args, features = [], log = [] }) => {
      const tokenizer = await loadTokenizer(vocabulary);
      const lines = input.split(/\r\n|\r|\n/);
      const encoded = lines.map((line) =>
        tokenizer.encode(splitWords(line).slice(0, -1).join(' '), args?.max_seq_length),
      );
      expectInOrder(
        features.map(([ids]) => ids),
        encoded,
      );
      const subtokens = log.flatMap(([, text]) => /^subtokens: (.*)$/.exec(text)?.[1] ?? []);
      expect(features.slice(0, 2).map(([ids]) => ids.map((id) => tokenizer.tokenOf(id)).join(' '))).toEqual(subtokens);
    },
  );

  test.each(cases)('logs the same length statistics of %s', (_, { features = [], log = [] }) => {
    const { min, max, mean, median, percentile75, percentile99 } = lengthStatistics(
      Uint16Array.from(features, ([ids]) => ids.length),
    );
    const logged = log.map(([, text]) => text);
    const numbers = logged.flatMap(
      (text) =>
        /^Min: (\d+) \| +Max: (\d+) \| +Mean: ([\d.]+) \| +Median: ([\d.]+)$/.exec(text)?.slice(1).map(Number) ?? [],
    );
    expect([min, max, mean, median]).toEqual(numbers);
    expect(logged).toContain(`75 percentile: ${percentile75.toFixed(2)}`);
    expect(logged).toContain(`99 percentile: ${percentile99.toFixed(2)}`);
  });
});

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split(/\r\n|\r|\n/);
}

function unlabelled(text: string, at: number): Example {
  return { text, label: 0, line: at + 1 };
}

function rowsOf(values: Int32Array, length: number): number[][] {
  return Array.from({ length: values.length / length }, (_, row) => [
    ...values.subarray(row * length, (row + 1) * length),
  ]);
}

/** All expected rows are among the given, in their order; lines that NeMo skipped are between them. */
function expectInOrder(expected: number[][], given: number[][]): void {
  const left = given.map((row) => row.join(' '));
  for (const row of expected) {
    const at = left.indexOf(row.join(' '));
    expect({ row: row.join(' '), found: at >= 0 }).toEqual({ row: row.join(' '), found: true });
    left.splice(0, at + 1);
  }
}

async function withCache(
  tokenizer: Tokenizer,
  examples: Example[],
  maxLength: number,
  use: (cache: Awaited<ReturnType<typeof openTokenCache>>) => void,
): Promise<void> {
  await withFolder({}, async (folder) => {
    const out = join(folder, 'a.tokens');
    async function* each() {
      yield* examples;
    }
    await buildTokenCache({ examples: each(), out, tokenizer, maxLength, key: '00'.repeat(32) });
    const cache = openTokenCache(out);
    use(cache);
    cache.close();
  });
}
