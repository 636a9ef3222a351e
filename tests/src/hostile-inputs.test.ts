import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type JsonObject, valueAt, withValueAt } from '@nautil/contracts';
import { writeSafetensors } from '@nautil/formats';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { pickle, rawSafetensors, rawZip, tensor, text, torchFile } from '@nautil/formats/testing/hostile-files';
import { goldenPath } from '@nautil/testing';
import { unigramJson } from '@nautil/tokenization/testing/unigram-json';
import { ReaderProcess } from './fuzz/reader-pool.js';
import type { Format } from './fuzz/readers.js';

/** The bound of the issue; TensorFlow, which `Classifier` loads, takes 350 MB itself. */
const peakBytes = 500e6;
const peakBytesWithTensorFlow = 900e6;

/** The other bound of the issue. Another machine may take twice as long as the one on which these files took less than half of it. */
const longestCpuMs = 2000;

const folder = mkdtempSync(join(tmpdir(), 'nautil-hostile-'));
let reader: ReaderProcess;
beforeAll(() => {
  reader = new ReaderProcess(folder, { peakBytes, restartBytes: 350e6 });
});
afterAll(async () => {
  await reader.close();
  rmSync(folder, { recursive: true });
});

/** What a reader in a process of its own makes of a file: `accepted`, or a typed error. Anything else fails the test. */
async function outcomeOf(format: Format, content: string | Buffer, name: string, by = reader): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, content);
  return outcomeOfFile(format, path, by);
}

async function outcomeOfFile(format: Format, path: string, by = reader): Promise<string> {
  const { verdict, finding } = await by.judge({ format, path });
  expect(finding).toBeUndefined();
  // Real vocabularies, and TensorFlow, take what they take.
  if (verdict?.outcome !== 'accepted' && by === reader) expect(verdict?.cpuMs).toBeLessThan(longestCpuMs);
  return `${verdict?.outcome}: ${verdict?.detail ?? ''}`;
}

/** As `outcomeOf`, with other files of the model beside it. */
async function outcomeInFolder(
  format: Format,
  content: string | Buffer,
  name: string,
  model?: string,
): Promise<string> {
  const inside = mkdtempSync(join(folder, 'model-'));
  if (model !== undefined) {
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
      await copyFile(goldenPath(model, file), join(inside, file));
  }
  writeFileSync(join(inside, name), content);
  return outcomeOfFile(format, join(inside, name));
}

const bomb = (line: (level: number) => string, levels: number, first: string): string =>
  [first, ...Array.from({ length: levels }, (_, level) => line(level + 1))].join('\n');

const roberta = JSON.parse(readFileSync(goldenPath('roberta-tiny/tokenizer.json'), 'utf8')) as JsonObject;
const bert = JSON.parse(readFileSync(goldenPath('bert-tiny-uncased/tokenizer.json'), 'utf8')) as JsonObject;
const config = JSON.parse(readFileSync(goldenPath('bert-tiny-uncased/config.json'), 'utf8')) as JsonObject;
const split = (regex: string) => ({
  ...roberta,
  pre_tokenizer: { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated' },
});
/** A SentencePiece model whose pieces are empty messages. */
const pieces = (count: number): Buffer => Buffer.alloc(count * 2, Buffer.from([0x0a, 0]));

const withCharsmap = (map: Buffer): string =>
  JSON.stringify({ ...roberta, normalizer: { type: 'Precompiled', precompiled_charsmap: map.toString('base64') } });

const manyTokens = (count: number) => [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  ...Array.from({ length: count - 4 }, (_, id) => `token${id}`),
];

test.each<[string, Format, string, () => string | Buffer, RegExp]>([
  ['a vocabulary of 250,002 tokens', 'vocabulary', 'vocab.txt', () => manyTokens(250_002).join('\n'), /^accepted/],
  [
    'a vocabulary of 250,002 tokens with scores, such as XLM-R has',
    'tokenizer',
    'tokenizer.json',
    () => JSON.stringify(unigramJson(manyTokens(249_997).map((token, id) => [token, -id / 1000]))),
    /^accepted/,
  ],
  [
    'an id of four billion',
    'tokenizer',
    'tokenizer.json',
    () => withVocabulary(bert, { a: 4e9 }),
    /^TokenizerError: .*vocab/,
  ],
  [
    'a pattern that never ends',
    'tokenizer',
    'tokenizer.json',
    () => JSON.stringify(split('(a+)+b')),
    /^TextRefused: .*within a second/,
  ],
  [
    'a pattern that takes forever to compile',
    'tokenizer',
    'tokenizer.json',
    () => JSON.stringify(split('(?:(?:a{1000}){1000}){1000}')),
    /^(?:TokenizerError|TextRefused|accepted)/,
  ],
  [
    'steps that double the text forty times',
    'tokenizer',
    'tokenizer.json',
    () =>
      JSON.stringify({
        ...roberta,
        normalizer: {
          type: 'Sequence',
          normalizers: Array(30).fill({ type: 'Replace', pattern: { String: 'a' }, content: 'aa' }),
        },
      }),
    /^TokenizerError: .*times as long/,
  ],
  [
    'pieces of length 0',
    'tokenizer',
    'tokenizer.json',
    () => JSON.stringify({ ...roberta, pre_tokenizer: { type: 'FixedLength', length: 0 } }),
    /^TokenizerError/,
  ],
  [
    'a SentencePiece model of 250,002 empty pieces',
    'tokenizer',
    'spiece.model',
    () => pieces(250_002),
    /^TokenizerError: .*no piece "\[CLS\]"/,
  ],
  [
    'a SentencePiece model of forty million empty pieces',
    'tokenizer',
    'spiece.model',
    () => pieces(40_000_000),
    /^TokenizerError: .*more than 1000000 pieces/,
  ],
  [
    'a SentencePiece model whose piece is longer than the file',
    'tokenizer',
    'spiece.model',
    () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    /^TokenizerError: .*is not a SentencePiece model: .*beyond the end/,
  ],
  [
    'a SentencePiece model of nested groups',
    'tokenizer',
    'spiece.model',
    () => Buffer.alloc(5_000_000, 0x7b),
    /^TokenizerError: .*is not a SentencePiece model: .*wire type 3/,
  ],
  [
    'a character map that makes a text three million times as long',
    'tokenizer',
    'tokenizer.json',
    () => withCharsmap(Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(1_000_000, 'a')])),
    /^TokenizerError: .*3000000 times as long/,
  ],
  [
    'a character map that ends in its trie',
    'tokenizer',
    'tokenizer.json',
    () => withCharsmap(Buffer.from([0xff, 0xff, 0xff, 0x7f, 0, 0])),
    /^TokenizerError: .*the character map has no complete trie/,
  ],
  [
    'brackets in a tokenizer.json',
    'tokenizer',
    'tokenizer.json',
    () => '['.repeat(5_000_000),
    /^TokenizerError: .*nested/,
  ],
  [
    'ten million empty lists',
    'tokenizer',
    'tokenizer.json',
    () => `{"model":[${'[],'.repeat(10_000_000)}[]]}`,
    /^TokenizerError: .*values/,
  ],
  [
    'more merges than any tokenizer has',
    'tokenizer',
    'tokenizer.json',
    () => withMerges(600_000),
    /^TokenizerError: .*600000 merges, and a tokenizer has at most 500000/,
  ],
  [
    'a million merges',
    'tokenizer',
    'tokenizer.json',
    () => withMerges(1_000_000),
    // A merge is one value or three, depending on how the file writes it.
    /^TokenizerError: .*(?:more than 3000000 values|at most 500000)/,
  ],
  [
    'as many merges as the largest tokenizer has',
    'tokenizer',
    'tokenizer.json',
    () => withMerges(450_000),
    /^accepted/,
  ],
  [
    'a vocabulary of two million tokens',
    'tokenizer',
    'tokenizer.json',
    () => withVocabulary(bert, Object.fromEntries(manyTokens(2_000_000).map((token, id) => [token, id]))),
    /^TokenizerError: .*keys/,
  ],
  [
    'a vocabulary of more than a million tokens with scores',
    'tokenizer',
    'tokenizer.json',
    () => JSON.stringify(unigramJson(manyTokens(1_100_000).map((token, id) => [token, -id / 1000]))),
    /^TokenizerError: .*more than 3000000 values/,
  ],
  [
    'a vocabulary of 60 million empty lines',
    'vocabulary',
    'vocab.txt',
    () => Buffer.alloc(60e6, 10),
    /^TokenizerError: .*lines/,
  ],
  ['300,000 tensors', 'tensors', 'x.safetensors', () => manyTensors(300_000), /^UnsupportedFile: .*300000 entries/],
  ['a zip of 60,000 entries', 'tensors', 'x.pt', () => manyEntries(60_000), /^UnsupportedFile: .*60001 entries/],
  [
    'a billion layers',
    'encoder',
    'config.json',
    () => JSON.stringify({ ...config, num_hidden_layers: 1e9 }),
    /^UnsupportedEncoder: .*num_hidden_layers/,
  ],
  [
    'a billion columns',
    'encoder',
    'config.json',
    () => JSON.stringify({ ...config, hidden_size: 1e9 }),
    /^UnsupportedEncoder: .*hidden_size/,
  ],
  ['brackets in a config.json', 'encoder', 'config.json', () => '['.repeat(5_000_000), /^CorruptFile: .*nested/],
  ['objects in a config.json', 'encoder', 'config.json', () => '{"a":'.repeat(1_000_000), /^CorruptFile: .*nested/],
  [
    'brackets in the header of safetensors',
    'tensors',
    'x.safetensors',
    () => rawSafetensors(`{"a":${'['.repeat(50_000_000)}`),
    /^CorruptFile: .*nested/,
  ],
  [
    'ten million lists in the header of safetensors',
    'tensors',
    'x.safetensors',
    () => rawSafetensors(`{"a":[${'[],'.repeat(10_000_000)}[]]}`),
    /^CorruptFile: .*values/,
  ],
  [
    'a header of safetensors that states an exabyte',
    'tensors',
    'x.safetensors',
    () => Buffer.alloc(100, 0x0f),
    /^(?:CorruptFile|UnsupportedFile)/,
  ],
  [
    'a text that a pickle encodes 4,000 times',
    'tensors',
    'x.bin',
    () => torchFile(encodedTimes(4000)),
    /^CorruptFile: .*encodes more than/,
  ],
  [
    'a key of 4,000 characters in the names of 100,000 tensors',
    'tensors',
    'x.bin',
    () => torchFile(longNames(100_000)),
    /^CorruptFile: .*(?:names|tensors would take)/,
  ],
  [
    'aliases that multiply',
    'config',
    'x.yaml',
    () =>
      bomb(
        (level) =>
          `a${level}: &a${level} [${Array(10)
            .fill(`*a${level - 1}`)
            .join(', ')}]`,
        9,
        'a0: &a0 {x: 1}',
      ),
    /^ConfigError: .*aliases repeat/,
  ],
  ['an alias of what contains it', 'config', 'x.yaml', () => 'a: &a [*a]\n', /^ConfigError: .*is not defined/],
  [
    'references that double a text',
    'config',
    'x.yaml',
    () => bomb((level) => `a${level}: \${a${level - 1}}\${a${level - 1}}`, 34, 'a0: xxxxxxxxxx'),
    /^ConfigError: .*references/,
  ],
  [
    'references that double a list',
    'config',
    'x.yaml',
    () => bomb((level) => `a${level}: ["\${a${level - 1}}", "\${a${level - 1}}"]`, 34, 'a0: [1]'),
    /^ConfigError: .*references/,
  ],
  [
    'a row of 20,000 references',
    'config',
    'x.yaml',
    () => bomb((level) => `a${level}: \${a${level - 1}}`, 20_000, 'a0: 1'),
    /^ConfigError: .*references/,
  ],
  ['references inside references', 'config', 'x.yaml', () => `a: "${'${'.repeat(100_000)}"`, /^ConfigError: .*nested/],
  ['brackets in YAML', 'config', 'x.yaml', () => `a: ${'['.repeat(100_000)}`, /^ConfigError/],
  [
    'sections in sections',
    'config',
    'x.yaml',
    () => Array.from({ length: 1000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
    /^ConfigError/,
  ],
  [
    'fifty thousand keys',
    'config',
    'x.yaml',
    () => Array.from({ length: 50_000 }, (_, id) => `k${id}: 1`).join('\n'),
    /^accepted/,
  ],
  ...['1,', ',', '[],', '? ,', '"",', ']'].map((item): [string, Format, string, () => string, RegExp] => [
    `a megabyte of ${item} in YAML`,
    'config',
    'x.yaml',
    () => `a: [${item.repeat(Math.floor(1e6 / item.length))}1]`,
    /^ConfigError: .*x.yaml: a configuration file cannot be so large/,
  ]),
  [
    '150,000 wrong commas in YAML',
    'config',
    'x.yaml',
    () => `a: [${','.repeat(150_000)}1]`,
    /^ConfigError: .*not valid YAML/,
  ],
  ['a configuration of 50 MB', 'config', 'x.yaml', () => 'a: 1\n'.repeat(10_000_000), /^ConfigError: .*at most/],
  [
    'a file that includes itself twice, by its package',
    'config',
    'x.yaml',
    () => 'defaults:\n  - x@a\n  - x@b\n',
    /^ConfigError: .*includes itself/,
  ],
  [
    'an override of 20,000 brackets',
    'overrides',
    'o.txt',
    () => `model.optim.betas=${'['.repeat(20_000)}`,
    /^ConfigError: .*nested/,
  ],
  [
    'an override of 20,000 calls',
    'overrides',
    'o.txt',
    () => `model.optim.betas=${'choice('.repeat(9000)}`,
    /^ConfigError: .*nested/,
  ],
  ['a key of 30,000 levels', 'overrides', 'o.txt', () => `+a${'.a'.repeat(30_000)}=1`, /^ConfigError: .*levels deep/],
  ['an override of 10 MB', 'overrides', 'o.txt', () => `a=${'${'.repeat(5_000_000)}`, /^ConfigError: .*at most/],
  ['an override of quotation marks', 'overrides', 'o.txt', () => `a="${'\\"'.repeat(30_000)}`, /^ConfigError/],
  ['one line of 100 MB', 'texts', 'x.txt', () => Buffer.alloc(100e6, 'a'), /^DataError: .*longer than 16 MiB/],
  ['one line of 16 MB of words', 'texts', 'x.txt', () => Buffer.alloc(16e6, 'word '), /^accepted/],
  [
    'one line of 16 MB without a space',
    'texts',
    'x.txt',
    () => Buffer.alloc(16e6, 'a'),
    /^TextRefused: .*without a place to divide it/,
  ],
  ['one line of 16 MB of spaces', 'texts', 'x.txt', () => Buffer.alloc(16e6, ' '), /^(?:accepted|TextRefused)/],
  ['one line of 16 MB of tabs', 'tsv', 'x.tsv', () => `${'\t'.repeat(16_000_000)}a\n`, /^DataError/],
  ['a quotation of 16 MB', 'tsv', 'x.tsv', () => `"${'a'.repeat(16_000_000)}"\t1\na\t0\n`, /^accepted/],
  ['a label of a million digits', 'tsv', 'x.tsv', () => `a\t${'1'.repeat(1_000_000)}\n`, /^DataError/],
  [
    '200,000 labels',
    'tsv',
    'x.tsv',
    () => Array.from({ length: 200_000 }, (_, label) => `a text\t${label}`).join('\n'),
    /^accepted/,
  ],
  [
    'names of 200,000 labels',
    'labels',
    'labels.txt',
    () => Array.from({ length: 200_000 }, (_, label) => `label ${label}`).join('\n'),
    /^accepted/,
  ],
  [
    'a journal with a record of an unknown type',
    'journal',
    'm.jsonl',
    () => journalOf('{"type":"from-a-newer-version","x":1}'),
    /^accepted/,
  ],
  ['a journal of a million damaged lines', 'journal', 'm.jsonl', () => journalOf('x\n'.repeat(1_000_000)), /^accepted/],
  ['a journal with a line of 70 MB', 'journal', 'm.jsonl', () => journalOf('x'.repeat(70_000_000)), /^accepted/],
])(
  '%s',
  async (_, format, name, content, outcome) => {
    const inFolder = format === 'tokenizer' || format === 'encoder';
    const model = format === 'encoder' ? 'bert-tiny-uncased' : undefined;
    expect(
      inFolder ? await outcomeInFolder(format, content(), name, model) : await outcomeOf(format, content(), name),
    ).toMatch(outcome);
  },
  120_000,
);

const withVocabulary = (json: JsonObject, vocab: JsonObject): string =>
  JSON.stringify({
    ...json,
    model: {
      ...(json['model'] as JsonObject),
      vocab: { ...((json['model'] as JsonObject)['vocab'] as JsonObject), ...vocab },
    },
  });

const withMerges = (count: number): string => {
  const model = roberta['model'] as JsonObject;
  const [first] = model['merges'] as JsonObject[];
  return JSON.stringify({ ...roberta, model: { ...model, merges: Array(count).fill(first) } });
};

const manyTensors = (count: number): Buffer =>
  rawSafetensors(
    Object.fromEntries(
      Array.from({ length: count }, (_, id) => [`w${id}`, { dtype: 'U8', shape: [1], data_offsets: [id, id + 1] }]),
    ),
    Buffer.alloc(count),
  );

const manyEntries = (count: number): Buffer =>
  rawZip([
    { name: 'archive/data.pkl', content: pickle('}') },
    ...Array.from({ length: count }, (_, id) => ({ name: `archive/data/${id}`, content: Buffer.alloc(4) })),
  ]);

const journalOf = (line: string): string =>
  [
    '{"type":"journal","id":"x"}',
    '{"type":"open","key":"k","experiment":"e","runName":"r","timestampMs":1,"tags":{}}',
    line,
    '{"type":"metrics","rows":[["loss",1,1,1]]}',
    '',
  ].join('\n');

/** A dict of arrays that are made from one text of a megabyte, which the memo keeps. */
function encodedTimes(times: number): Buffer {
  const parts: (string | number | Buffer)[] = [text('x'.repeat(1 << 20)), 'q', 0, '0', ']', '('];
  for (let time = 0; time < times; time++) parts.push('c_codecs\nencode\n', 'h', 0, text('latin1'), 0x86, 'R');
  return pickle(...parts, 'e');
}

/** A list of references to one tensor, under a key that is part of the name of each. */
function longNames(count: number): Buffer {
  const view = tensor({ elements: 1, shape: [1], strides: [1] });
  return pickle(
    '}',
    text('k'.repeat(4000)),
    view,
    'q',
    0,
    '0',
    ']',
    '(',
    Buffer.from('h\0'.repeat(count), 'latin1'),
    'e',
    's',
  );
}

test('a layer whose number is in the name of one tensor', async () => {
  const names = [
    'embeddings.word_embeddings.weight',
    'embeddings.position_embeddings.weight',
    'embeddings.token_type_embeddings.weight',
    'encoder.layer.0.intermediate.dense.weight',
    'encoder.layer.999999999.output.dense.bias',
  ];
  const inside = mkdtempSync(join(folder, 'model-'));
  const path = join(inside, 'model.safetensors');
  await writeSafetensors(
    path,
    names.map((name) => ({ name, dtype: 'F32' as const, shape: [2, 64], data: new Float32Array(128) })),
  );
  expect(await outcomeOfFile('encoder', path)).toMatch(/^UnsupportedEncoder: .*num_hidden_layers is 1000000000/);
}, 120_000);

test('a server that never stops sending, where MLflow was expected', async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const chunk = Buffer.alloc(1 << 20, ' ');
    const send = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', send);
    send();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    expect(await outcomeOf('server', `http://127.0.0.1:${port}`, 'address')).toMatch(
      /^ResponseTooLarge: .*more than 67108864 bytes/,
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
}, 120_000);

test('a server whose pages never end, where MLflow was expected', async () => {
  const server = createServer((_, response) => response.end('{"runs":[],"next_page_token":"again"}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    expect(await outcomeOf('server', `http://127.0.0.1:${port}`, 'address')).toMatch(/^ResponseTooLarge: .*pages/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}, 120_000);

describe('a classifier with a head of an unusual size', () => {
  let classifiers: ReaderProcess;
  beforeAll(() => {
    classifiers = new ReaderProcess(folder, {
      peakBytes: peakBytesWithTensorFlow,
      restartBytes: peakBytesWithTensorFlow,
    });
  });
  afterAll(() => classifiers.close());

  test.each<[number, RegExp]>([
    [0, /^CorruptFile: .*the classifier head has no classes/],
    [200_000, /^accepted/],
  ])(
    '%i classes',
    async (numClasses, outcome) => {
      const path = join(folder, `head-${numClasses}.nemo`);
      await copyArchive(goldenPath('nemo/tiny_bert.nemo'), path, ({ config: original, tensors }) => {
        const last = `classifier.mlp.layer${2 * (Number(valueAt(original, 'classifier_head.num_output_layers')) - 1)}.`;
        return {
          config: withValueAt(original, 'dataset.num_classes', numClasses),
          tensors: [...tensors].map((weight) => {
            if (!weight.name.startsWith(last)) return weight;
            const shape = [numClasses, ...weight.shape.slice(1)];
            const zeros = () => new Float32Array(shape.reduce((a, b) => a * b, 1));
            return { name: weight.name, dtype: 'F32', shape, data: zeros };
          }),
        };
      });
      expect(await outcomeOfFile('classifier', path, classifiers)).toMatch(outcome);
    },
    120_000,
  );
});
