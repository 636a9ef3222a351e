import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { writeSafetensors } from '@nautil/formats';
import { beginExperiment } from '@nautil/nemo';
import { howToContinue, overridesToContinue } from './how-to-continue.js';

let cwd: string;
beforeAll(async () => (cwd = await mkdtemp(join(tmpdir(), 'nautil continue-'))));
afterAll(() => rm(cwd, { recursive: true }));

/** Begins a run as `nautil train` does, up to its first stage. */
async function begin(overrides: string[]): ReturnType<typeof beginExperiment> {
  const { tree, config } = await loadConfig({ overrides: ['model.train_ds.file_path=t.tsv', ...overrides], cwd });
  return beginExperiment({ tree, config, cwd, command: ['nautil', 'train'] });
}

/** The overrides in a text, as the shell passes them on. */
const overridesIn = (text: string): string[] =>
  [...text.matchAll(/'(exp_manager[^']*)'|(exp_manager\S+=\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

test('what an interrupted training says to add to its command finds its last checkpoint', async () => {
  const { logDir } = await begin([]);
  const last = join(logDir, 'checkpoints', 'TextClassification--val_loss=0.5-epoch=1-last.ckpt');
  await mkdir(join(logDir, 'checkpoints'), { recursive: true });
  await writeFile(last, '');
  const added = overridesIn(await howToContinue({ logDir, resumes: false }));
  expect(added).toHaveLength(2);
  expect(await begin(added)).toMatchObject({ logDir, resumeFrom: last });
});

test('a checkpoint without the state of its optimizer is none to continue from', async () => {
  const { logDir } = await begin([]);
  const last = join(logDir, 'checkpoints', 'last.ckpt');
  await mkdir(join(logDir, 'checkpoints'), { recursive: true });
  await writeSafetensors(last, [], { optimizer: 'dropped' });
  expect(await overridesToContinue(logDir)).toBeUndefined();
});

test('a training that was interrupted before its first validation begins again, with overrides that make it resumable', async () => {
  const { logDir } = await begin([]);
  const hint = await howToContinue({ logDir, resumes: false });
  expect(hint).toContain('no validation to continue from');
  const again = await begin(overridesIn(hint));
  expect(again.resumeFrom).toBeUndefined();
  await expect(begin(overridesIn(hint))).resolves.toMatchObject({ logDir: again.logDir });
});

test('a training with resume_if_exists is continued by the same command', async () => {
  expect(await howToContinue({ logDir: cwd, resumes: true })).toBe('the same command continues where this one ended');
});
