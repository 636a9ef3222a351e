import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { cache, convert, download, resolveRun, tokenize } from './index.js';

// Where the tokens of a run are kept, and which runs find them.

let home: string;
const homes = mkdtempSync(join(tmpdir(), 'nautil-tokenize-'));
beforeEach(() => {
  home = mkdtempSync(join(homes, 'home-'));
  process.env['NAUTIL_HOME'] = home;
});
afterAll(() => {
  rmSync(homes, { recursive: true, force: true });
});

async function tokens(runKey: string, useCache: boolean, ...overrides: string[]) {
  const run = await resolveRun({
    workflowId: 'w',
    runKey,
    taskQueue: 'q',
    overrides: [
      `exp_manager.exp_dir=${join(home, 'nemo_experiments')}`,
      `model.train_ds.file_path=${goldenPath('nemo/traj_train.tsv')}`,
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      'model.dataset.num_classes=null',
      `model.dataset.use_cache=${useCache}`,
      ...overrides,
    ],
  });
  const source = await download({ run });
  const inputs = await cache({ run, source, data: await convert({ run, source }) });
  const { reused, train, notes } = await tokenize({ run, inputs });
  return { reused, sha256: train.file.sha256, isInRunFolder: train.file.path.startsWith(run.folder), notes };
}

const cached = (): string[] => readdirSync(join(home, 'store', 'stages')).filter((stage) => stage === 'tokenize');

test('with use_cache, a run reuses the tokens of an earlier run', async () => {
  expect(await tokens('first', true)).toMatchObject({ reused: false, isInRunFolder: false });
  expect(await tokens('second', true)).toMatchObject({ reused: true, isInRunFolder: false });
});

test('without use_cache, a run neither reads nor writes the token cache, and only its own retry finds its tokens', async () => {
  const { sha256 } = await tokens('first', true);
  rmSync(join(home, 'store', 'stages', 'tokenize'), { recursive: true });
  expect(await tokens('second', false)).toMatchObject({ reused: false, isInRunFolder: true, sha256 });
  expect(await tokens('third', false)).toMatchObject({ reused: false });
  expect(cached()).toEqual([]);
  expect(await tokens('third', false)).toMatchObject({ reused: true });
  await tokens('fourth', true);
  expect(await tokens('fifth', false)).toMatchObject({ reused: false });
});

test('padding as NeMo does is reported to have no effect with a padding token whose id is 0', async () => {
  const note = 'nautil.batches.nemo_padding has no effect';
  const padding = 'nautil.batches.nemo_padding=true';
  expect((await tokens('bert', false, padding)).notes).toContainEqual(expect.stringContaining(note));
  expect((await tokens('plain', false)).notes).not.toContainEqual(expect.stringContaining(note));
  const roberta = `model.language_model.pretrained_model_name=${goldenPath('roberta-tiny')}`;
  expect(
    (await tokens('roberta', false, padding, roberta, 'model.dataset.max_seq_length=32')).notes,
  ).not.toContainEqual(expect.stringContaining(note));
});
