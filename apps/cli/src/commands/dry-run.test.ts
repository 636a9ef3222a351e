import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';

const folder = mkdtempSync(join(tmpdir(), 'nautil-dry-run-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function dryRun(command: string) {
  writeFileSync(join(folder, 'train.tsv'), 'good\t1\nbad\t0\n');
  const places = { INIT_CWD: folder, NAUTIL_HOME: join(folder, 'home'), HF_HOME: join(folder, 'hub') };
  const settings = ['model.train_ds.file_path=train.tsv', 'model.language_model.pretrained_model_name=org/absent'];
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, command, ...settings, '--dry-run'], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '', ...places, HF_HUB_OFFLINE: '1' },
    encoding: 'utf8',
  });
  // Each run has a name of its own, and so has its archive.
  return { status, stderr, stdout: stdout.replace(/^note .*nemo_path is .*$/m, '') };
}

test('train plans a training as run does, and both report a download that would fail', () => {
  const [run, train] = [dryRun('run'), dryRun('train')];
  expect(run.stdout).toContain('Nothing was started.');
  expect(train).toEqual(run);
  expect(train.stderr).toMatch(/the run would fail at its download: .*HF_HUB_OFFLINE is set\n.*pretrained_model_name/);
  expect(train.status).toBe(4);
}, 60_000);
