import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { FileUnavailable } from '../errors.js';
import { findEncoder } from './find-encoder.js';

const models = mkdtempSync(join(tmpdir(), 'nautil-models-'));
const hubCache = join(models, 'hub');
afterAll(() => rmSync(models, { recursive: true }));

async function hintFor(name: string): Promise<string> {
  const error = await findEncoder(name, { models, hubCache }).then(String, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FileUnavailable);
  expect((error as FileUnavailable).message).toContain(name);
  return (error as FileUnavailable).hint ?? '';
}

test('a path and the name of an installed model are found', async () => {
  mkdirSync(join(models, 'megatron-bert-345m-cased'));
  expect(await findEncoder(models, { models, hubCache })).toBe(models);
  expect(await findEncoder('megatron-bert-345m-cased', { models, hubCache })).toBe(
    join(models, 'megatron-bert-345m-cased'),
  );
});

test('the error for a missing model lists the places that were searched', async () => {
  const hint = await hintFor('google/bert-tiny');
  expect(hint).toContain(join(models, 'google/bert-tiny'));
  expect(hint).toContain(join(hubCache, 'models--google--bert-tiny'));
  expect(hint).toMatch(/config\.json/);
});

test('a repository of the cache without a snapshot is reported', async () => {
  mkdirSync(join(hubCache, 'models--org--empty'), { recursive: true });
  await expect(findEncoder('org/empty', { models, hubCache })).rejects.toThrow(/it has 0 snapshots/);
});

test('a name never leads out of the model folders', async () => {
  expect(await hintFor('../hub')).not.toContain(models);
});

test.each([
  ['megatron-bert-345m-uncased', 'nvidia/megatron_bert_345m, version v0.1_uncased'],
  ['megatron_bert_345m_cased', 'nvidia/megatron_bert_345m, version v0.1_cased'],
  ['biomegatron-bert-345m-uncased', 'MegatronBERT.pt of the NGC model nvidia/biomegatron345muncased'],
  ['biomegatron-bert-345m-cased', 'MegatronBERT.pt of the NGC model nvidia/biomegatron345mcased'],
  ['biomegatron345m_biovocab_50k_cased', 'only as a .nemo archive of NeMo Megatron'],
  ['megatron-bert-cased', 'a Megatron-LM checkpoint of your own'],
])("the error for NeMo's name %s names the file to download", async (name, file) => {
  const hint = await hintFor(name);
  expect(hint).toContain(file);
  if (!name.includes('biovocab')) expect(hint).toContain('model.language_model.lm_checkpoint');
});
