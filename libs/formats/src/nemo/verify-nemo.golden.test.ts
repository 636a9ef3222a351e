import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { type JsonObject, valueAt, withValueAt } from '@nautil/contracts';
import { goldenFiles, goldenPath } from '@nautil/testing';
import type { EncoderLayout } from '../encoder/encoder.js';
import type { TensorToWrite } from '../tensor-source.js';
import { describeNemo } from './describe-nemo.js';
import { readNemo } from './read-nemo.js';
import { type NemoVerification, verifyNemo } from './verify-nemo.js';
import { type NemoToWrite, writeNemo } from './write-nemo.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-verify-'));
afterAll(() => rmSync(folder, { recursive: true }));

const archives = [...goldenFiles('nemo', '.nemo'), goldenPath('nemo-files/sample_tiny_gz.nemo')];
const sample = goldenFiles('nemo', '.nemo')[0]!;

/** The layout of the archive's own tensors, because only @nautil/model knows the layouts of architectures. */
async function layoutOf(path: string): Promise<EncoderLayout> {
  const { tensors, close } = await readNemo(path);
  const prefix = 'bert_model.';
  const words = 'embeddings.word_embeddings.weight';
  const layout = tensors
    .names()
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ name: name.slice(prefix.length), shape: tensors.info(name).shape, used: true }));
  const hiddenSize = tensors.info(prefix + words).shape[1]!;
  await close();
  return () => ({ tensors: layout, wordEmbeddings: words, hiddenSize });
}

// Only @nautil/training knows tokenizers.
const tokenizer = () => Promise.resolve('of the test');
const checksFor = async (path: string) => ({ layout: await layoutOf(path), tokenizer });

/** Writes the sample's content as Nautil does, with one part changed. */
async function rewritten(change: (content: NemoToWrite) => Partial<NemoToWrite>): Promise<string> {
  const archive = await readNemo(sample);
  const { tensors } = archive;
  const path = join(folder, 'changed.nemo');
  const keys = archive.artifactNames.filter((key) => key !== 'tokenizer_vocab_dict');
  const content: NemoToWrite = {
    path,
    config: archive.config,
    artifacts: await Promise.all(
      keys.map(async (key) => ({ key, name: key.split('.').at(-1)!, content: (await archive.artifact(key))! })),
    ),
    vocabulary: new Map(
      Object.entries(
        JSON.parse(Buffer.from((await archive.artifact('tokenizer_vocab_dict'))!).toString()) as Record<string, number>,
      ),
    ),
    tensors: tensors
      .names()
      .map((name): TensorToWrite => ({ name, ...tensors.info(name), data: () => tensors.read(name) })),
    record: { version: 1, labels: labelNames(archive.config), metrics: { f1Macro: 0.5 }, lineage: { data: 'abc' } },
  };
  await writeNemo({ ...content, ...change(content) });
  await archive.close();
  return path;
}

const labelNames = (config: JsonObject) =>
  Array.from({ length: Number(valueAt(config, 'dataset.num_classes')) }, (_, id) => `class ${id}`);

const problemsOf = ({ checks }: NemoVerification) => checks.flatMap(({ problems }) => problems);

test.each(archives.map((path) => [basename(path), path] as const))('%s is sound, and is described', async (_, path) => {
  const verified = await verifyNemo(path, await checksFor(path));
  expect(problemsOf(verified)).toEqual([]);
  expect(verified.sound).toBe(true);
  expect(verified.checks.map(({ name }) => name)).toEqual([
    'archive',
    'artifacts',
    'encoder',
    'head',
    'labels',
    'vocabulary',
    'tokenizer',
    'values',
    'digests',
  ]);

  const described = await describeNemo(path);
  const { tensors, close } = await readNemo(path);
  expect(described).toMatchObject({ writtenBy: 'NeMo', sha256: verified.sha256, sizeBytes: readFileSync(path).length });
  expect(described.tensors.map(({ name }) => name)).toEqual(tensors.names());
  expect(described.compressed).toBe(path.endsWith('_gz.nemo'));
  expect(described.encoder.config?.['model_type']).toMatch(/bert/);
  expect(described.parameters).toBeGreaterThan(0);
  expect(described.lineage).toBeUndefined();
  await close();
});

test("an archive of Nautil's is sound, and described with its labels, metrics and lineage", async () => {
  const path = await rewritten(() => ({}));
  const verified = await verifyNemo(path, await checksFor(path));
  expect(problemsOf(verified)).toEqual([]);
  expect(verified.checks.at(-1)!.found).toMatch(/compared with their digests/);
  const described = await describeNemo(path);
  expect(described).toMatchObject({ writtenBy: 'Nautil', metrics: { f1Macro: 0.5 }, lineage: { data: 'abc' } });
  expect(described.labels).toEqual(labelNames(described.config));
});

test('tensors outside the model, as those of NeMo’s metrics, are listed and make no archive unsound', async () => {
  const names = ['classification_report.tp', 'val_classification_report.num_examples_per_class', 'mystery'];
  const path = await rewritten(({ tensors }) => ({
    tensors: [
      ...tensors,
      ...names.map((name) => ({ name, dtype: 'F32' as const, shape: [2], data: new Float32Array(2) })),
    ],
  }));
  const verified = await verifyNemo(path, await checksFor(path));
  expect(problemsOf(verified)).toEqual([]);
  expect(verified.checks.find(({ name }) => name === 'head')!.found).toContain(`ignored: ${names.join(', ')}`);
});

test('a flipped bit anywhere in a file of the archive is detected', async () => {
  const path = await rewritten(() => ({}));
  const checks = await checksFor(path);
  const intact = readFileSync(path);
  const archive = await readNemo(path);
  const { members } = archive;
  await archive.close();
  const damaged = join(folder, 'damaged.nemo');
  // After the folder's header, each member has a header of 512 bytes and its content, padded to 512 bytes.
  let at = 512;
  for (const { name, sizeBytes } of members) {
    at += 512;
    for (const share of [0, 0.013, 0.3, 0.5, 0.77, 0.999]) {
      const byte = at + Math.floor(share * sizeBytes);
      const bytes = Buffer.from(intact);
      bytes[byte] = intact[byte]! ^ 0x04;
      writeFileSync(damaged, bytes);
      const { sound } = await verifyNemo(damaged, checks);
      expect({ name, share, sound }).toEqual({ name, share, sound: false });
    }
    at += Math.ceil(sizeBytes / 512) * 512;
  }
});

test('a flipped bit in the name of any key of the record is detected', async () => {
  const path = await rewritten(() => ({}));
  const checks = await checksFor(path);
  const intact = readFileSync(path);
  const damaged = join(folder, 'damaged-record.nemo');
  for (const key of ['"digest":', '"files":', '"lineage":', '"version":']) {
    const bytes = Buffer.from(intact);
    const at = bytes.lastIndexOf(key);
    expect(at).toBeGreaterThan(0);
    bytes[at + 2]! ^= 0x04;
    writeFileSync(damaged, bytes);
    expect({ key, sound: (await verifyNemo(damaged, checks)).sound }).toEqual({ key, sound: false });
  }
});

describe('verifyNemo reports', () => {
  const withTensor =
    (wanted: string, change: (tensor: TensorToWrite) => TensorToWrite[]) => (content: NemoToWrite) => ({
      tensors: [...content.tensors].flatMap((tensor) => (tensor.name === wanted ? change(tensor) : [tensor])),
    });
  const bias = 'classifier.mlp.layer0.bias';
  const norm = 'bert_model.embeddings.LayerNorm.bias';

  test.each<[string, (content: NemoToWrite) => Partial<NemoToWrite>, RegExp]>([
    [
      'a missing weight of the encoder',
      withTensor(norm, () => []),
      /bert_model\.embeddings\.LayerNorm\.bias is missing/,
    ],
    ['a missing weight of the head', withTensor(bias, () => []), /classifier\.mlp\.layer0\.bias is missing/],
    [
      'a weight of another shape',
      withTensor(norm, (tensor) => [{ ...tensor, shape: [...tensor.shape, 1] }]),
      /LayerNorm\.bias has shape \[\d+, 1\], but the configuration requires \[\d+\]/,
    ],
    [
      'a weight that is not floating-point',
      withTensor(bias, (tensor) => [{ ...tensor, dtype: 'I32' }]),
      /layer0\.bias has dtype I32/,
    ],
    [
      'a weight that is not finite',
      withTensor(bias, (tensor) => [{ ...tensor, data: new Float32Array(tensor.shape[0]!).fill(NaN, 1) }]),
      /layer0\.bias contains NaN at index 1/,
    ],
    [
      'a tensor of a head with more layers',
      withTensor(bias, (tensor) => [tensor, { ...tensor, name: 'classifier.mlp.layer99.bias' }]),
      /classifier\.mlp\.layer99\.bias is not part of the configured head/,
    ],
    ['too few labels', () => ({ record: { labels: ['only one'] } }), /1 name for \d+ classes/],
    [
      'a number of classes that differs from the head',
      ({ config }) => ({
        config: withValueAt(config, 'dataset.num_classes', Number(valueAt(config, 'dataset.num_classes')) + 1),
      }),
      /layer\d+\.\w+ has shape \[\d+.*, but the configuration requires \[\d+/,
    ],
    [
      'an artifact that is not in the archive',
      ({ config }) => ({ config: withValueAt(config, 'tokenizer.tokenizer_model', 'nemo:0_bpe.model') }),
      /tokenizer_model refers to the file 0_bpe\.model, which is not in the archive/,
    ],
    [
      'ids beyond the word embeddings',
      () => ({ vocabulary: new Map([['far', 10_000_000]]) }),
      /1 id of tokens beyond the \d+ word embeddings/,
    ],
  ])('%s', async (_, change, message) => {
    const checks = await checksFor(sample);
    const verified = await verifyNemo(await rewritten(change), checks);
    expect(problemsOf(verified).join('\n')).toMatch(message);
    expect(verified.sound).toBe(false);
  });

  test('an archive that does not open has one check, with the reason', async () => {
    const path = join(folder, 'cut.nemo');
    writeFileSync(path, readFileSync(sample).subarray(0, 5000));
    const { checks, sound } = await verifyNemo(path, await checksFor(sample));
    expect(sound).toBe(false);
    expect(checks.map(({ name }) => name)).toEqual(['archive']);
    expect(checks[0]!.problems.join()).toMatch(/cut off/);
  });
});
