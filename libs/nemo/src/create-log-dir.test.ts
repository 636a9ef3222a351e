import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Config, loadConfig } from '@nautil/config';
import { CannotResume, createLogDir } from './create-log-dir.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nautil-log-dir-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

async function expManager(...overrides: string[]): Promise<Config['exp_manager']> {
  const { config } = await loadConfig({ overrides: overrides.map((one) => `exp_manager.${one}`) });
  return config.exp_manager;
}

const create = async (overrides: string[], now = new Date(2026, 0, 31, 9, 5, 7)) => {
  const created = await createLogDir({ manager: await expManager(...overrides), cwd, now });
  return { ...created, folder: relative(cwd, created.folder) };
};

describe('the log folder of a run', () => {
  test('is named by the time, in nemo_experiments below the current folder', async () => {
    expect((await create([])).folder).toBe('nemo_experiments/TextClassification/2026-01-31_09-05-07');
    // NeMo would mix the files of two runs that start within one second.
    expect((await create([])).folder).toBe('nemo_experiments/TextClassification/2026-01-31_09-05-07_1');
  });

  test('is version_N with use_datetime_version=false, and concurrent runs get different numbers', async () => {
    const options = ['use_datetime_version=false', 'exp_dir=runs', 'name=mine'];
    mkdirSync(join(cwd, 'runs/mine/version_3'), { recursive: true });
    const folders = await Promise.all(Array.from({ length: 8 }, () => create(options)));
    expect(folders.map(({ folder }) => folder).sort()).toEqual(
      [10, 11, 4, 5, 6, 7, 8, 9].map((n) => `runs/mine/version_${n}`),
    );
  });

  test('follows explicit_log_dir or version', async () => {
    expect((await create(['explicit_log_dir=here', 'exp_dir=runs'])).folder).toBe('here');
    expect((await create(['exp_dir=runs', 'version=v7'])).folder).toBe('runs/TextClassification/v7');
  });

  test.each(['hparams.yaml', 'checkpoints/last.ckpt', 'config/config.yaml', 'nemo_error_log.txt', 'label_ids.tsv'])(
    'is not one that has files of another run, even of NeMo: %s',
    async (file) => {
      const path = join(cwd, 'here', file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'of another run');
      const { folder, warnings } = await create(['explicit_log_dir=here']);
      expect(folder).toBe('here_1');
      expect(warnings.join()).toMatch(/here belongs to another run; this run uses .*here_1/);
      expect(readFileSync(path, 'utf8')).toBe('of another run');
    },
  );

  test('may have files that no run writes', async () => {
    mkdirSync(join(cwd, 'here'));
    writeFileSync(join(cwd, 'here/slurm-1.out'), '');
    expect((await create(['explicit_log_dir=here'])).folder).toBe('here');
  });

  test('is never shared, even when trials of a sweep request the same folder concurrently', async () => {
    const created = await Promise.all(Array.from({ length: 4 }, () => create(['explicit_log_dir=shared'])));
    expect(created.map(({ folder }) => folder).sort()).toEqual(['shared', 'shared_1', 'shared_2', 'shared_3']);
    expect(created.flatMap(({ warnings }) => warnings).join('\n')).toMatch(
      /shared belongs to another run; this run uses .*shared_1/,
    );
  });
});

describe('resume_if_exists', () => {
  const resume = ['exp_dir=runs', 'resume_if_exists=true'];
  const folder = 'runs/TextClassification';
  const checkpoints = (): string => join(cwd, folder, 'checkpoints');

  test('fails without a checkpoint, unless resume_ignore_no_checkpoint is set', async () => {
    await expect(create(resume)).rejects.toBeInstanceOf(CannotResume);
    const started = await create([...resume, 'resume_ignore_no_checkpoint=true']);
    expect(started).toMatchObject({
      folder,
      warnings: [expect.stringContaining('training starts from the beginning')],
    });
    expect(started.resumeFrom).toBeUndefined();
  });

  test('finds the last checkpoint, and moves the files of the previous start', async () => {
    mkdirSync(checkpoints(), { recursive: true });
    writeFileSync(join(checkpoints(), 'a--val_loss=0.5000-epoch=1-last.ckpt'), '');
    for (const run of [0, 1]) {
      writeFileSync(join(cwd, folder, 'cmd-args.log'), `start ${run}`);
      const { resumeFrom } = await create(resume);
      expect(resumeFrom).toBe(join(checkpoints(), 'a--val_loss=0.5000-epoch=1-last.ckpt'));
      expect(readFileSync(join(cwd, folder, `run_${run}/cmd-args.log`), 'utf8')).toBe(`start ${run}`);
    }
    expect(readdirSync(join(cwd, folder)).sort()).toEqual(['checkpoints', 'run_0', 'run_1']);
  });

  test('rejects several last checkpoints, and a run that has ended unless resume_past_end is set', async () => {
    mkdirSync(checkpoints(), { recursive: true });
    for (const name of ['a-last.ckpt', 'b-last.ckpt']) writeFileSync(join(checkpoints(), name), '');
    await expect(create(resume)).rejects.toThrow('several last checkpoints: a-last.ckpt, b-last.ckpt');
    writeFileSync(join(checkpoints(), 'a-end.ckpt'), '');
    await expect(create(resume)).rejects.toThrow('has ended');
    const { resumeFrom } = await create([...resume, 'resume_past_end=true']);
    expect(resumeFrom).toBe(join(checkpoints(), 'a-end.ckpt'));
  });
});
