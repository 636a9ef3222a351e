import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath, readGoldenJson } from '@nautil/testing';

const folder = mkdtempSync(join(tmpdir(), 'nautil-cli-encode-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Encoded {
  text: string;
  input_ids: number[];
  first_token: number[];
}

interface Parity {
  max_length: number;
  sentences: string[];
  models: Record<string, { rows: { input_ids: number[]; first_token: number[] }[] }>;
}

const parity = readGoldenJson('hf_parity.json') as Parity;

/** Whether a text fits on one line unchanged. */
const fitsLine = (text: string) => !/\n|\r$/.test(text);
const sentences = parity.sentences.filter(fitsLine);
const fitting = <Row>(rows: readonly Row[]) => rows.filter((_, i) => fitsLine(parity.sentences[i]!));

/** Runs the program itself, with the texts on standard input. */
function encode(
  texts: readonly string[],
  ...args: string[]
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [program, 'encode', '--input', '-', ...args],
      { maxBuffer: 1 << 26 },
      (error, stdout, stderr) => done({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    );
    // A command that rejects its options closes standard input without reading it.
    child.stdin?.on('error', () => undefined).end(texts.map((text) => `${text}\n`).join(''));
  });
}

const linesOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Encoded);

const largestDifference = (actual: readonly number[], expected: readonly number[]) => {
  expect(actual).toHaveLength(expected.length);
  return Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
};

test.each(Object.entries(parity.models))(
  'nautil encode prints the same ids and vectors as transformers, in order, for %s',
  async (name, truth) => {
    const rows = fitting(truth.rows);
    const { exitCode, stdout } = await encode(
      sentences,
      '--model',
      goldenPath(name),
      ...['--max-length', String(parity.max_length), '--format', 'jsonl', '--batch-size', '5'],
    );
    expect(exitCode).toBe(0);
    const encoded = linesOf(stdout);
    expect(encoded.map(({ text }) => text)).toEqual(sentences);
    expect(encoded.map(({ input_ids }) => input_ids)).toEqual(rows.map(({ input_ids }) => input_ids));
    for (const [i, { first_token }] of rows.entries())
      expect(largestDifference(encoded[i]!.first_token, first_token)).toBeLessThan(1e-4);
  },
  60_000,
);

test('the texts of a table have the ids and vectors that they have as lines', async () => {
  const model = ['--model', goldenPath(Object.keys(parity.models)[0]!)];
  const texts = ['a good film', 'a "bad" one'];
  const table = join(folder, 'texts.csv');
  writeFileSync(table, `id,review\n${texts.map((text, id) => `${id},"${text.replaceAll('"', '""')}"\n`).join('')}`);
  // The last --input wins.
  const { stdout } = await encode([], ...model, '--input', table);
  expect(stdout).toBe((await encode(texts, ...model)).stdout);
  const named = await encode([], ...model, '--input', table, '--text-column', 'text');
  expect(named).toMatchObject({ exitCode: 3, stdout: '' });
  expect(named.stderr).toContain('has no column "text", which --text-column names');
}, 180_000);

test('nautil encode accepts a file of weights, and uses the tokenizer beside it', async () => {
  const [name, truth] = Object.entries(parity.models)[0]!;
  const [row] = fitting(truth.rows);
  const path = goldenPath(name, 'pytorch_model.bin');
  const { stdout } = await encode(sentences.slice(0, 1), '--model', path, '--max-length', String(parity.max_length));
  const [first] = linesOf(stdout);
  expect(first!.input_ids).toEqual(row!.input_ids);
  expect(largestDifference(first!.first_token, row!.first_token)).toBeLessThan(1e-4);
}, 60_000);

test('nautil encode tokenises with the settings of the .nemo', async () => {
  const archive = readdirSync(goldenPath('nemo')).find((name) => name.endsWith('.nemo'))!;
  const truth = readGoldenJson('nemo', `${archive}.expected.json`) as {
    rows: { text: string; input_ids: number[] }[];
  };
  const rows = truth.rows.filter(({ text }) => fitsLine(text));
  const { stdout } = await encode(
    rows.map(({ text }) => text),
    ...['--model', goldenPath('nemo', archive)],
  );
  expect(linesOf(stdout).map(({ input_ids }) => input_ids)).toEqual(rows.map(({ input_ids }) => input_ids));
}, 60_000);

test.each([
  ['--model', 'minilm', 'all-MiniLM-L6-v2'],
  ['--tokenizer', 'mpnet-base', 'microsoft/mpnet-base'],
])(
  '%s: the name of a preset is rejected with the name of its model',
  async (option, preset, model) => {
    const { exitCode, stderr } = await encode(['a'], '--model', goldenPath('bert-tiny-uncased'), option, preset);
    expect(exitCode).toBe(3);
    expect(stderr).toBe(`${preset}: this is a preset of a configuration, not a model\n  name its model, ${model}\n`);
  },
  60_000,
);

test('a tokenizer with more ids than the encoder has embeddings is rejected before the first text', async () => {
  const tokenizer = goldenPath('tokenizers/bert');
  const given = ['--model', goldenPath('bert-tiny-uncased'), '--tokenizer', tokenizer];
  const { exitCode, stdout, stderr } = await encode(['a'], ...given);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(/^the tokenizer .* has 30522 ids, and the encoder .* has embeddings for \d+\n/);
  expect(stderr).toContain('--tokenizer FOLDER names');
}, 60_000);

test('an unusable model or option ends with one message and no output', async () => {
  const broken = join(folder, 'model.safetensors');
  writeFileSync(broken, 'not weights');
  const cases: [string[], number, RegExp][] = [
    [['--model', join(folder, 'absent')], 3, /absent: this model is not on this machine/],
    [['--model', broken], 3, /model\.safetensors: not a file of tensors/],
    [['--model', folder, '--max-length', 'long'], 2, /A whole number from 1 is expected/],
    [
      ['--model', goldenPath('bert-tiny-uncased'), '--max-length', '5000'],
      2,
      /--max-length is 5000, and the encoder has positions for \d+ tokens/,
    ],
  ];
  for (const [args, code, message] of cases) {
    const { exitCode, stdout, stderr } = await encode(['a text'], ...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
  }
}, 60_000);
