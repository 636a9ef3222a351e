import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunPlan } from '@nautil/activities';
import { packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { goldenPath, testIf } from '@nautil/testing';
import { programEnvironment } from './testing/program-environment.js';

// `nautil run --dry-run`: no server runs in this file.

const root = mkdtempSync(join(tmpdir(), 'nautil-plan-'));
const cwd = join(root, 'work');
const words = ['good', 'bad', 'film', 'plot', 'a', 'the', 'very', 'dull', 'fine'];
const textOf = (length: number): string => Array.from({ length }, (_, i) => words[i % words.length]).join(' ');

let nowhere: string;
beforeAll(async () => {
  nowhere = `127.0.0.1:${await freePort()}`;
  mkdirSync(cwd);
  const rows = Array.from({ length: 42 }, (_, i) => `${textOf(3 + (i % 7))} ${i},${i % 2 ? 'up' : 'down'}`);
  writeFileSync(join(cwd, 'train.csv'), `text,label\n${rows.join('\n')}\n`);
  writeFileSync(join(cwd, 'dev.csv'), `text,label\n${rows.slice(0, 12).join('\n')}\n`);
  writeFileSync(join(cwd, 'long.tsv'), Array.from({ length: 20_000 }, (_, i) => `${textOf(600)}\t${i % 2}\n`).join(''));
});
afterAll(() => {
  if (smallDisk) execFileSync('umount', [join(root, 'small')]);
  rmSync(root, { recursive: true, force: true });
});

interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs the program in `cwd`, with a state folder of that name. */
function nautil(home: string, ...args: string[]): Promise<Outcome> {
  const env = {
    ...process.env,
    ...programEnvironment(join(root, home)),
    INIT_CWD: cwd,
    NAUTIL_TEMPORAL_ADDRESS: nowhere,
    MLFLOW_TRACKING_URI: `http://${nowhere}`,
  };
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args],
      { cwd, env, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

const tiny = [
  'trainer.accelerator=cpu',
  'trainer.max_epochs=3',
  `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
  'model.train_ds.file_path=train.csv',
  'model.validation_ds.file_path=dev.csv',
  'model.train_ds.batch_size=4',
  'model.nemo_path=tiny.nemo',
];

const plan = async (
  home: string,
  ...overrides: string[]
): Promise<{ exitCode: number; stderr: string; plan: RunPlan }> => {
  const { stdout, ...outcome } = await nautil(home, 'run', '--dry-run', '--json', ...tiny, ...overrides);
  return { ...outcome, plan: JSON.parse(stdout) as RunPlan };
};

const statesOf = ({ stages }: RunPlan) => Object.fromEntries(stages.map(({ stage, state }) => [stage, state]));
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Bytes of the models and checkpoints in some folders. A file with several names counts once. */
function modelBytesIn(...folders: string[]): number {
  const sizes = new Map<number, number>();
  for (const folder of folders) {
    for (const file of filesIn(folder).filter((name) => /\.(?:safetensors|ckpt|nemo)$/.test(name))) {
      const { ino, size } = statSync(join(folder, file));
      sizes.set(ino, size);
    }
  }
  return sum([...sizes.values()]);
}

test('a plan states the steps, and leaves nothing but what it has prepared in the store', async () => {
  const before = filesIn(cwd);
  const first = await plan('planned', 'trainer.accumulate_grad_batches=2');
  expect(first).toMatchObject({ exitCode: 0, plan: { problems: [] } });
  // 42 rows in batches of 4, two of which are a step.
  expect(first.plan.training).toMatchObject({
    batchesPerEpoch: 11,
    stepsPerEpoch: 6,
    steps: 18,
    epochs: 3,
    evaluations: 3,
  });
  expect(first.plan.training!.timedSteps).toBeGreaterThan(0);
  expect(first.plan.seconds!.total).toBeGreaterThan(0);
  expect(first.plan.memory).toMatchObject({ basis: 'measured' });
  expect(first.plan.disks!.length).toBeGreaterThan(0);
  expect(statesOf(first.plan)).toEqual({
    ...{ download: 'in place', convert: 'prepared', cache: 'prepared', tokenize: 'runs' },
    ...{ train: 'runs', evaluate: 'runs', package: 'runs' },
  });
  expect(filesIn(cwd)).toEqual(before);
  expect(readdirSync(join(root, 'planned')).sort()).toEqual(['store', 'tmp']);
  expect(readdirSync(join(root, 'planned/tmp'))).toEqual([]);
  expect(filesIn(join(root, 'planned/store')).filter((file) => /stages\/(?!convert)/.test(file))).toEqual([]);

  const second = await plan('planned', 'trainer.accumulate_grad_batches=2');
  expect(statesOf(second.plan)).toMatchObject({ convert: 'cached', cache: 'cached', tokenize: 'runs', train: 'runs' });
}, 300_000);

test('a run finds what a dry run has prepared, takes the planned steps, and keeps what was planned', async () => {
  const overrides = ['model.dataset.use_cache=true', 'exp_manager.exp_dir=logs'];
  const before = await plan('trained', ...overrides);
  expect(statesOf(before.plan)).toMatchObject({ convert: 'prepared', tokenize: 'prepared' });
  const run = await nautil('trained', 'train', ...tiny, ...overrides);
  expect(run).toMatchObject({ exitCode: 0 });
  expect(run.stderr).toMatch(/convert: reused/);
  expect(run.stderr).toMatch(/tokenize: reused/);
  expect(run.stderr).toContain(`step ${before.plan.training!.steps}/${before.plan.training!.total}`);

  // Which epoch is the best is not known before, and MLflow, which has a copy of the archive, is down.
  const planned = sum(before.plan.disks!.map(({ keptBytes }) => keptBytes));
  const kept = modelBytesIn(join(root, 'trained/runs'), cwd);
  expect(kept).toBeLessThan(planned * 1.1);
  expect(kept).toBeGreaterThan(planned * 0.6);

  const after = await plan('trained', ...overrides);
  expect(statesOf(after.plan)).toMatchObject({
    download: 'in place',
    convert: 'cached',
    cache: 'cached',
    tokenize: 'cached',
  });
}, 300_000);

/** An architecture that no machine can train. */
const enormous = JSON.stringify({
  ...{ hidden_size: 65_536, num_hidden_layers: 1000, num_attention_heads: 64, intermediate_size: 262_144 },
}).replaceAll('"', '');

test('a model that is far too large is reported before anything of its size is allocated', async () => {
  const { exitCode, stderr, plan: planned } = await plan('enormous', `model.language_model.config=${enormous}`);
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(
    /the run does not fit: the weights and the state of the optimizer alone need [\d.,]+ TB of memory/,
  );
  expect(stderr).toMatch(/the run does not fit: .*: the run writes up to [\d.]+ TB, and .* are free/);
  expect(planned).toMatchObject({ memory: { basis: 'computed' }, training: { steps: 33 } });
  expect(planned.seconds).toBeUndefined();
}, 120_000);

const smallDisk = mountedDisk(64 << 20);

testIf(
  smallDisk,
  'this user may not mount a small disk',
  'a disk that is too small for the checkpoints is reported, with what frees space',
  async () => {
    const {
      exitCode,
      stderr,
      plan: planned,
    } = await plan(
      'small',
      'model.language_model.config={hidden_size: 512, num_hidden_layers: 4, num_attention_heads: 8, intermediate_size: 2048}',
    );
    expect(stderr).toMatch(/the run does not fit: .*small: the run writes up to [\d.]+ [MG]B, and [\d.]+ MB are free/);
    expect(stderr).toContain('npx nautil store gc --dry-run');
    expect(exitCode).toBe(4);
    expect(planned.seconds).toBeDefined();
  },
  300_000,
);

test('a batch that is far too large is reported from smaller ones, with the settings that make it smaller', async () => {
  const {
    exitCode,
    stderr,
    plan: planned,
  } = await plan(
    'large-batch',
    'model.train_ds.file_path=long.tsv',
    'model.validation_ds.file_path=null',
    'model.train_ds.batch_size=20000',
    'model.dataset.max_seq_length=512',
    'model.language_model.config={hidden_size: 64, num_hidden_layers: 4, num_attention_heads: 64, intermediate_size: 64}',
  );
  expect(stderr).toMatch(/the run does not fit: training on a batch of 20000 × 512 tokens needs about [\d.]+ [GT]B/);
  expect(stderr).toContain('set model.train_ds.batch_size to less than 20000');
  expect(exitCode).toBe(4);
  expect(planned.memory).toMatchObject({ basis: 'extrapolated' });
}, 300_000);

test.each([
  ['a key that is not known', ['model.train_ds.batch_sise=3'], 2],
  ['a file that does not exist', ['model.train_ds.file_path=nowhere.csv'], 3],
  ['labels that do not fit the classes', ['model.dataset.num_classes=1'], 3],
  ['no checkpoint to resume from', ['exp_manager.resume_if_exists=true'], 2],
  ['devices that are not there', ['trainer.devices=1000'], 2],
])(
  'a dry run reports what the run reports: %s',
  async (_what, overrides, code) => {
    const [dry, real] = await Promise.all([
      nautil('errors', 'run', '--dry-run', ...tiny, ...overrides),
      nautil('errors-of-run', 'train', ...tiny, ...overrides),
    ]);
    expect([dry.exitCode, real.exitCode]).toEqual([code, code]);
    const messageOf = ({ stderr }: Outcome): string =>
      stderr
        .trim()
        .split('\n')
        .filter((line) => !line.endsWith('…'))
        .join('\n')
        .replaceAll('errors-of-run', 'errors');
    expect(messageOf(real)).toContain(messageOf(dry));
  },
  120_000,
);

test('a dry run has no effect on a queue, and rejects the options that would need one', async () => {
  const { exitCode, stderr } = await nautil('options', 'run', '--dry-run', '--detach', ...tiny);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("'--dry-run' cannot be used with option '--detach'");
});

/** Mounts a small disk as the state folder `small`. False if this user may not. */
function mountedDisk(bytes: number): boolean {
  const folder = join(root, 'small');
  mkdirSync(folder, { mode: 0o700 });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
