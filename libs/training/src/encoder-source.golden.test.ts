import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { openTensors, writeSafetensors } from '@nautil/formats';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import { encoderConfigOf, openInitialClassifier } from './encoder-source.js';
import type { EncoderSource } from './job.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-encoder-source-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bert = goldenPath('bert-tiny-uncased');
const megatron = goldenPath('megatron-bert-tiny');
const bertConfig = readGoldenJson('bert-tiny-uncased/config.json') as Record<string, unknown>;
const words = 'bert_model.embeddings.word_embeddings.weight';
const pooler = 'bert_model.pooler.dense.weight';
const head = 'classifier.mlp.layer0.weight';

async function firstWeights(source: EncoderSource, seed: number, names: string[]): Promise<Float32Array[]> {
  const initial = await openInitialClassifier(source, { numClasses: 2, numOutputLayers: 1 }, seed);
  const read = await Promise.all(names.map((name) => initial.read(name)));
  await initial.close();
  return read;
}

/** Population standard deviation. */
function deviationOf(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

test('a configuration alone gives random weights that the seed decides, in the width that it names', async () => {
  const source = { config: { ...bertConfig, initializer_range: 0.05 } };
  const [first] = await firstWeights(source, 1, [words]);
  const [again] = await firstWeights(source, 1, [words]);
  const [other] = await firstWeights(source, 2, [words]);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  expect(deviationOf(first!)).toBeGreaterThan(0.045);
  expect(deviationOf(first!)).toBeLessThan(0.055);
  expect(await encoderConfigOf(source)).toEqual(source.config);
});

test("pretrained weights are the folder's, the head is new", async () => {
  const truth = await openTensors(join(bert, 'model.safetensors'));
  const [encoder, classifier] = await firstWeights({ path: bert }, 1, [words, head]);
  expect(encoder).toEqual(await truth.readFloat32('embeddings.word_embeddings.weight'));
  expect((await firstWeights({ path: bert }, 2, [head]))[0]).not.toEqual(classifier);
  await truth.close();
});

test("lm_checkpoint's weights go over those of the model, whose configuration stays", async () => {
  const trained = goldenPath('traj_init.safetensors');
  const source = { path: bert, lmCheckpoint: trained };
  const truth = await openTensors(trained);
  expect((await firstWeights(source, 1, [words]))[0]).toEqual(await truth.readFloat32(words));
  await truth.close();
  expect(await encoderConfigOf(source)).toEqual(bertConfig);
});

test("a Megatron-LM checkpoint is an lm_checkpoint of its own, with transformers' weights", async () => {
  const truth = await openTensors(join(megatron, 'model.safetensors'));
  const file = readdirSync(megatron).find((name) => name.endsWith('.pt'))!;
  const query = 'encoder.layer.0.attention.self.query.weight';
  const [found] = await firstWeights({ lmCheckpoint: join(megatron, file) }, 1, [`bert_model.${query}`]);
  expect(found).toEqual(await truth.readFloat32(query));
  await truth.close();
});

test('a file without a pooler gets a new one, because NeMo demands it of an archive', async () => {
  const truth = await openTensors(join(bert, 'model.safetensors'));
  const names = truth.names().filter((name) => !name.startsWith('pooler.'));
  const path = join(folder, 'model.safetensors');
  await writeSafetensors(
    path,
    names.map((name) => ({ name, ...truth.info(name), data: () => truth.read(name) })),
  );
  await truth.close();
  const [found] = await firstWeights({ path, config: bertConfig }, 1, [pooler]);
  expect(found!.some((value) => value !== 0)).toBe(true);
});

test('neither weights nor a configuration is refused with the keys to set', async () => {
  await expect(encoderConfigOf({})).rejects.toMatchObject({
    hint: expect.stringMatching(/pretrained_model_name/),
  });
});
