import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { goldenPath, testIf } from '@nautil/testing';
import { ExactPipeline } from './exact-pipeline.js';
import { loadTokenizer } from './load-tokenizer.js';
import { normalizerOf } from './normalizers.js';
import { preTokenizerOf } from './pre-tokenizers.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';
import type { PipelineStep } from './tokenizer-definition.js';
import { tokenizerJsonOf } from './tokenizer-files.js';

// Recorded by tests/golden/record/tokenizer_ids.py. TOKENIZERS selects another recording, of larger models for example.
const recording = process.env['TOKENIZERS'] ?? goldenPath('tokenizers');
const dataFolder = goldenPath('raw-data');

interface Pair {
  first: string;
  second: string;
  max_length: number;
  ids: number[];
  type_ids: number[];
}

interface Kind {
  name: string;
  digests: { unusual: string[]; data?: string[] };

  /** Of a folder of files. */
  vocab_size?: number;
  pipeline_sha256?: string;
  truncated?: number[];
  pairs?: Pair[];

  /** Of a changed tokenizer.json. */
  base?: string;
  changes?: JsonObject;
}

interface Recording {
  block: number;
  data: [path: string, how: 'lines' | 'files', count: number][];
  code_points: Record<string, string>;
  kinds: Kind[];
}

const {
  kinds,
  block,
  data,
  code_points: codePoints,
} = JSON.parse(readFileSync(join(recording, 'expected.json'), 'utf8')) as Recording;
const unusual = readFileSync(join(recording, 'unusual.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as string);

const loaded = kinds.filter(({ base }) => base === undefined);
const load = (kind: string): Promise<Tokenizer> => loadTokenizer({ folder: join(recording, kind) });

/** The tokenizer of a kind; for one with changes, that of its base with them. */
async function tokenizerOf({ name, base, changes }: Kind): Promise<Tokenizer> {
  if (base === undefined || changes === undefined) return load(name);
  const { definition } = await load(base);
  const json = JSON.parse(JSON.stringify(definition.json)) as JsonObject;
  const model = { ...(json['model'] as JsonObject), ...(changes['model'] as JsonObject | undefined) };
  const changed = withMap({ ...json, ...changes, model }, mapIn(json['normalizer']));
  return createTokenizer({ ...definition, json: tokenizerJsonOf(name, changed as JsonObject) });
}

/** The character map of a model, which the recording leaves out. */
function mapIn(value: JsonValue | undefined): string | undefined {
  if (Array.isArray(value)) return value.map(mapIn).find((map) => map !== undefined);
  if (!isJsonObject(value)) return undefined;
  const { precompiled_charsmap: map } = value;
  return typeof map === 'string' ? map : mapIn(Object.values<JsonValue>(value));
}

function withMap(value: JsonValue | undefined, map: string | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((item) => withMap(item, map) ?? null);
  if (!isJsonObject(value)) return value;
  if (value['type'] === 'Precompiled' && map !== undefined) return { ...value, precompiled_charsmap: map };
  const entries = Object.entries(value).map(([key, inner]) => [key, key === 'vocab' ? inner : withMap(inner, map)]);
  return Object.fromEntries(entries) as JsonObject;
}

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

/** A digest of the ids of each block of texts, as the recorder has it. */
function digestsOf(texts: readonly string[], idsOf: (text: string) => number[]): string[] {
  const digests: string[] = [];
  for (let at = 0; at < texts.length; at += block) {
    const lines = texts.slice(at, at + block).map((text) => idsOf(text).join(' '));
    digests.push(sha256(lines.join('\n')).slice(0, 12));
  }
  return digests;
}

function dataTexts(): string[] {
  return data.flatMap(([path, how, count]) => {
    const file = join(dataFolder, path);
    if (how === 'lines') return readFileSync(file, 'utf8').split('\n').slice(0, count);
    // As Python sorts: by code points.
    const names = readdirSync(file).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return names.slice(0, count).map((name) => readFileSync(join(file, name), 'utf8'));
  });
}

test('the recording has 3,000 unusual texts, and every kind of tokenizer', () => {
  expect(unusual).toHaveLength(3000);
  expect(kinds.length).toBeGreaterThan(20);
});

describe('the Rust tokenizers', () => {
  test.each(kinds)('give unusual texts the ids that Nautil gives them: $name', async (kind) => {
    const tokenizer = await tokenizerOf(kind);
    const pipeline = new ExactPipeline(tokenizer.definition.json);
    // As a whole, and divided into chunks whose ids are remembered.
    expect(digestsOf(unusual, (text) => pipeline.idsOf(text))).toEqual(kind.digests.unusual);
    expect(digestsOf(unusual, (text) => tokenizer.bodyIds(text, Infinity))).toEqual(kind.digests.unusual);
  });

  const available = data.length > 0 && data.every(([path]) => existsSync(join(dataFolder, path)));
  const texts = available ? dataTexts() : [];
  for (const kind of kinds.filter(({ digests }) => digests.data !== undefined)) {
    const name = `give ${texts.length} lines of data the ids that Nautil gives them: ${kind.name}`;
    testIf(available, 'the data sets are not here', name, async () => {
      const tokenizer = await tokenizerOf(kind);
      expect(digestsOf(texts, (text) => tokenizer.bodyIds(text, Infinity))).toEqual(kind.digests.data);
    });
  }
});

describe('transformers', () => {
  test.each(loaded)('builds the pipeline of $name that Nautil builds', async (kind) => {
    const { definition, vocabSize } = await load(kind.name);
    const { added_tokens, normalizer, pre_tokenizer } = definition.json;
    expect(vocabSize).toBe(kind.vocab_size);
    const canonical = JSON.stringify(sorted({ added_tokens, normalizer, pre_tokenizer } as unknown as JsonValue));
    expect(sha256(canonical)).toBe(kind.pipeline_sha256);
  });

  test.each(loaded)(
    'truncates texts and pairs as Nautil does, and puts the same tokens around them: $name',
    async (kind) => {
      const tokenizer = await load(kind.name);
      expect(tokenizer.encode('the plot '.repeat(9), 9)).toEqual(kind.truncated);
      for (const { first, second, max_length: maxLength, ids, type_ids: typeIds } of kind.pairs ?? []) {
        expect(tokenizer.encodePair(first, second, maxLength)).toMatchObject({ ids, typeIds });
      }
    },
  );
});

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key] ?? null)]));
}

describe('every code point', () => {
  const characters = Array.from({ length: 0x110000 }, (_, code) => code)
    .filter((code) => code < 0xd800 || code >= 0xe000)
    .map((code) => String.fromCodePoint(code));
  const digest = (resultOf: (character: string) => string): string => sha256(characters.map(resultOf).join('\n'));
  const options: Record<string, PipelineStep> = {
    Strip: { type: 'Strip', strip_left: true, strip_right: true },
    BertNormalizer: { type: 'BertNormalizer', lowercase: true, strip_accents: null },
    'BertNormalizer cased': { type: 'BertNormalizer', lowercase: false, strip_accents: false },
    Digits: { type: 'Digits', individual_digits: true },
  };
  const dividing = ['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit', 'Punctuation', 'Digits', 'ByteLevel'];

  test.each(Object.entries(codePoints))('is treated by %s as in the Rust library', (name, recorded) => {
    const step = options[name] ?? { type: name };
    if (dividing.includes(name)) {
      const divide = preTokenizerOf(step);
      expect(digest((character) => divide(`a${character}1${character}`, true).join('|'))).toBe(recorded);
    } else {
      const normalize = normalizerOf(step);
      expect(digest((character) => normalize(`a\u0301${character}\u0334`))).toBe(recorded);
    }
  });
});
