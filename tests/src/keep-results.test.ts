import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { Classifier } from '@nautil/training';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// What a run leaves on the disk when it has its archive, and what can be done with it.

const root = mkdtempSync(join(tmpdir(), 'nautil-kept-'));
const home = join(root, 'home');
const trainers = new Trainers(programEnvironment(home));

beforeAll(() => {
  Object.assign(process.env, programEnvironment(home));
  const recorded = readFileSync(goldenPath('nemo/traj_train.tsv'), 'utf8').trim().split('\n');
  const lines = recorded.map((line, i) => line.replace(/\t\d+$/, `\t${i % 2}`));
  writeFileSync(join(root, 'train.tsv'), `${lines.slice(0, 16).join('\n')}\n`);
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const openRun = (runKey: string, overrides: string[]): Promise<StagedRun> =>
  StagedRun.open({
    home,
    runKey,
    trainer: (o) => trainers.run(o),
    overrides: [
      'trainer.accelerator=cpu',
      'trainer.max_epochs=2',
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      `model.train_ds.file_path=${join(root, 'train.tsv')}`,
      `model.validation_ds.file_path=${join(root, 'train.tsv')}`,
      'model.train_ds.batch_size=4',
      `model.nemo_path=${join(root, `${runKey}.nemo`)}`,
      ...overrides,
    ],
  });

/** The checkpoints in a log folder, and whether each has the state of the optimizer. */
function checkpointsIn(logDir: string): { path: string; isLast: boolean; isWhole: boolean }[] {
  const folder = join(logDir, 'checkpoints');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ckpt'))
    .map((name) => ({
      path: join(folder, name),
      isLast: name.endsWith('-last.ckpt'),
      isWhole: readFileSync(join(folder, name)).includes('optimizer/'),
    }));
}

test('a run that has ended keeps its weights and models, and no state of the optimizer', async () => {
  const logDir = join(root, 'ended-logs');
  const run = await openRun('ended', [`exp_manager.explicit_log_dir=${logDir}`]);
  const { packaged, model } = await run.run({
    around: async (stage, work) => {
      if (stage === 'package') expect(checkpointsIn(logDir).every(({ isWhole }) => isWhole)).toBe(true);
      return work();
    },
  });
  expect(readdirSync(join(run.resolved.folder, 'training'))).not.toContain('checkpoints');
  const checkpoints = checkpointsIn(logDir);
  expect(checkpoints.length).toBeGreaterThan(1);
  for (const { path, isWhole } of checkpoints) {
    expect(isWhole).toBe(false);
    const classifier = await Classifier.open(path);
    expect(await classifier.predict(['a fine film'])).toHaveLength(1);
    classifier.close();
  }
  expect(packaged).toMatchObject({
    notes: [expect.stringMatching(/keeps .* in .*; [\d.]+ kB of checkpoints were freed/)],
  });
  expect(statSync(packaged.nemo.path).ino).toBe(statSync(packaged.stored!).ino);

  // Repeating the stages after training needs none of it, and the training itself is found.
  const again = await (await openRun('ended', [])).run();
  expect(again.model).toMatchObject({ reused: true, lastWeights: model.lastWeights });
  expect(again.packaged.nemo.sha256).toBe(packaged.nemo.sha256);

  // Continuing the training is an error that names the reason.
  await expect(
    openRun('continued', [
      `exp_manager.explicit_log_dir=${logDir}`,
      'exp_manager.resume_if_exists=true',
      'trainer.max_epochs=4',
    ]),
  ).rejects.toMatchObject({
    name: 'OptimizerStateDropped',
    message: expect.stringContaining('its run has ended, and kept only the weights'),
    hint: expect.stringContaining('exp_manager.resume_if_exists=true'),
  });
}, 120_000);

test('with resume_if_exists, the last checkpoint stays whole, and a run with more epochs continues from it', async () => {
  const logs = [`exp_manager.explicit_log_dir=${join(root, 'resumed-logs')}`, 'exp_manager.resume_if_exists=true'];
  const ignoring = 'exp_manager.resume_ignore_no_checkpoint=true';
  await (await openRun('first', [...logs, ignoring])).run();
  const checkpoints = checkpointsIn(join(root, 'resumed-logs'));
  expect(checkpoints.filter(({ isWhole }) => isWhole).every(({ isLast }) => isLast)).toBe(true);
  expect(checkpoints.filter(({ isLast, isWhole }) => isLast && isWhole)).toHaveLength(1);

  const longer = await openRun('longer', [...logs, 'trainer.max_epochs=3']);
  const { model } = await longer.run();
  expect(model).toMatchObject({ step: 12, epoch: 2 });

  // The run has ended, so the checkpoint that it continued is gone. A training that is repeated would need it.
  rmSync(model.lastWeights.path);
  await expect((await openRun('longer', [])).run()).rejects.toMatchObject({ name: 'OptimizerStateDropped' });
}, 120_000);
