import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { finishTracking, startTracking } from '@nautil/activities';
import type { KeptArchive } from '@nautil/contracts';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// Runs a configuration, and then the configuration that this run saved, with a tiny encoder and without MLflow's server:
// the journal holds what the server would receive.

const root = mkdtempSync(join(tmpdir(), 'nautil-saved-'));
const home = join(root, 'home');
const file = (name: string): string => join(root, name);
const trainers = new Trainers(programEnvironment(home));
const nowhere = 'http://127.0.0.1:9'; // the discard port, where nothing listens

beforeAll(async () => {
  process.env['NAUTIL_HOME'] = home;
  await mkdir(home);
  const recorded = readFileSync(goldenPath('nemo/traj_train.tsv'), 'utf8').trim().split('\n');
  const lines = recorded.map((line, i) => line.replace(/\t\d+$/, `\t${i % 2}`)); // two classes in every reference set
  writeFileSync(file('train.tsv'), `${lines.slice(0, 16).join('\n')}\n`);
  writeFileSync(file('dev.tsv'), `${lines.slice(16, 32).join('\n')}\n`);
  writeFileSync(file('sparse.tsv'), readFileSync(file('train.tsv'), 'utf8').replace(/\t(\d)$/gm, '\t1$11'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A run's results, and what it saved about its configuration. */
interface Saved {
  /** The file that MLflow gets as the archive. */
  journaledArchive: string;

  archive: Buffer;

  /** The archives of earlier runs that were in the way. */
  kept: KeptArchive[] | undefined;

  /** The number of evaluations on the validation set during training. */
  validations: number;
  yaml: string;
  params: Record<string, string>;

  /** The configuration in the log, as YAML. */
  logged: string;
  hparams: string;
}

async function runAndRead(
  runKey: string,
  request: { overrides?: string[]; config?: string; configPath?: string },
): Promise<Saved> {
  const staged = await StagedRun.open({ home, cwd: root, runKey, trainer: (o) => trainers.run(o), ...request });
  const run = staged.resolved;
  await startTracking(run, nowhere);
  let validations = 0;
  const { evaluated, packaged } = await staged.run({
    training: {
      onCommitted: ({ events }) => {
        validations += events.filter(({ type }) => type === 'eval').length;
      },
    },
  });
  await finishTracking({ run, status: 'FINISHED', evaluated, packaged }, nowhere);

  const journal = readFileSync(join(run.folder, 'mlflow.jsonl'), 'utf8').trim().split('\n');
  const records = journal.map(
    (line) => JSON.parse(line) as { type: string; path?: string; file?: string; content?: string; params?: object },
  );
  const log = readFileSync(join(run.logDir, 'nemo_log_globalrank-0_localrank-0.txt'), 'utf8');
  return {
    archive: readFileSync(packaged.nemo.path),
    kept: packaged.kept,
    journaledArchive: records.find(({ path }) => path?.startsWith('model/'))!.file!,
    validations,
    yaml: records.find(({ path }) => path === 'config/config.yaml')!.content!,
    params: Object.assign({}, ...records.map(({ params }) => params)) as Record<string, string>,
    logged: [...log.matchAll(/Config Params:\n((?: {4}.*\n)*)/g)]
      .map(([, text]) => text!.replace(/^ {4}/gm, ''))
      .join('---\n'),
    hparams: readFileSync(join(run.logDir, 'hparams.yaml'), 'utf8'),
  };
}

const base = [
  'trainer.accelerator=cpu',
  'trainer.max_epochs=2',
  `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
  'model.train_ds.file_path=train.tsv',
  'model.validation_ds.file_path=dev.tsv',
  'model.train_ds.batch_size=4',
  'model.validation_ds.batch_size=4',
  'model.nemo_path=model.nemo',
  'exp_manager.exp_dir=logs',
  'nautil.batches.length_multiple=64', // one padded shape, which TensorFlow traces once
];

test.each([
  {
    what: 'every value of the shipped configuration, and classes to count',
    overrides: [],
    saved: { 'trainer.val_check_interval': '1.0', 'model.dataset.num_classes': '2' },
    validations: 2,
  },
  {
    what: 'numbers of batches',
    overrides: ['trainer.val_check_interval=1', '+trainer.limit_train_batches=3', '+trainer.limit_val_batches=1'],
    saved: { 'trainer.val_check_interval': '1', 'trainer.limit_val_batches': '1', 'trainer.limit_train_batches': '3' },
    validations: 6,
  },
  {
    what: 'classes to number and to count',
    overrides: [
      'nautil.data.relabel=true',
      ...['train', 'validation'].map((split) => `model.${split}_ds.file_path=sparse.tsv`),
      '+trainer.limit_test_batches=1.0',
    ],
    saved: { 'trainer.limit_test_batches': '1.0', 'model.dataset.num_classes': '2' },
    validations: 2,
  },
  {
    what: 'fractions, another optimizer and another schedule, and texts with a meaning in YAML',
    overrides: [
      'trainer.val_check_interval=0.5',
      '+trainer.limit_val_batches=1.0',
      'model.dataset.num_classes=4',
      'model.dataset.class_balancing=weighted_loss',
      'model.optim.name=sgd',
      'model.optim.sched.name=StepLR',
      '+model.optim.sched.step_size=1',
      "model.infer_samples=['\\${a}: # it', 'yes', '1.0']",
    ],
    saved: {
      'trainer.val_check_interval': '0.5',
      'trainer.limit_val_batches': '1.0',
      'model.dataset.num_classes': '4',
    },
    validations: 4,
  },
])(
  'a saved configuration runs again, with the same bytes and the same record: $what',
  async ({ what, ...expected }) => {
    const first = await runAndRead(`${what} 1`, { overrides: [...base, ...expected.overrides] });
    expect(first.params).toMatchObject(expected.saved);
    expect(first.validations).toBe(expected.validations);
    expect(first.yaml).not.toContain('???');
    for (const [key, value] of Object.entries(expected.saved))
      expect(first.yaml).toMatch(new RegExp(`^ +${key.split('.').at(-1)!}: ${value.replace('.', '\\.')}$`, 'm'));
    expect(first.logged).toBe(first.yaml);
    expect(first.hparams).toContain(`num_classes: ${first.params['model.dataset.num_classes']!}\n`);

    writeFileSync(file('saved.yaml'), first.yaml);
    const second = await runAndRead(`${what} 2`, { configPath: root, config: 'saved' });
    expect(second.archive.equals(first.archive)).toBe(true);
    const paths = { archive: undefined, journaledArchive: undefined, kept: undefined };
    expect({ ...second, ...paths }).toEqual({ ...first, ...paths });
  },
);

test('a later run keeps the archive that is at model.nemo_path, and MLflow gets the archive of each run', async () => {
  const overrides = [...base, 'trainer.max_epochs=1', 'model.nemo_path=shared.nemo'];
  const first = await runAndRead('overwritten 1', { overrides });
  const second = await runAndRead('overwritten 2', { overrides: [...overrides, 'nautil.seed=7'] });
  expect(second.archive.equals(first.archive)).toBe(false);
  expect(second.kept).toEqual([{ path: file('shared.nemo'), keptAt: file('shared.1.nemo') }]);
  expect(readFileSync(file('shared.1.nemo')).equals(first.archive)).toBe(true);
  expect(readFileSync(first.journaledArchive).equals(first.archive)).toBe(true);
  expect(readFileSync(second.journaledArchive).equals(second.archive)).toBe(true);
});
