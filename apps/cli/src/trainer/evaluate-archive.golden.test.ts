import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readNemo } from '@nautil/formats/nemo';
import { formatReport } from '@nautil/metrics';
import { packageRoot } from '@nautil/store/folders';
import { tensorFlowLibrary } from '@nautil/tensorflow';
import { goldenPath } from '@nautil/testing';
import { evaluationOf } from './evaluate-archive.js';

let folder: string;
let lines: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-evaluate-archive-'));
  lines = (await readFile(goldenPath('nemo/traj_train.tsv'), 'utf8')).split('\n').slice(0, 61);
  await write(
    'train.tsv',
    lines.slice(0, 40).filter((line, i) => i % 3 > 0 || line.endsWith('1')),
  );
  await write('held-out.tsv', lines.slice(20));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, rows: string[]): Promise<void> =>
  writeFile(join(folder, name), rows.map((row) => `${row}\n`).join(''));

/** Trains a tiny classifier with `nautil train`. Returns what it prints. */
async function train(name: string, overrides: string[]): Promise<string> {
  const given = [
    'trainer.accelerator=cpu',
    'trainer.max_epochs=1',
    'model.train_ds.file_path=train.tsv',
    `model.nemo_path=${name}.nemo`,
    `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
    'model.optim.lr=1e-3',
    ...overrides,
  ];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), 'train', ...given],
    {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        INIT_CWD: folder,
        NAUTIL_HOME: join(folder, 'state'),
        LIBTENSORFLOW: tensorFlowLibrary(),
        MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', // the discard port, where nothing listens
      },
    },
  );
  return stdout;
}

const evaluate = (name: string, overrides: string[] = []) =>
  evaluationOf(
    { overrides: [`model.nemo_path=${name}.nemo`, 'model.test_ds.file_path=held-out.tsv', ...overrides] },
    { cwd: folder },
  ).then(({ evaluation }) => evaluation);

async function recordedScores(name: string): Promise<unknown> {
  const archive = await readNemo(join(folder, `${name}.nemo`));
  await archive.close();
  return archive.record?.['metrics'];
}

const test_ds = 'model.test_ds.file_path=held-out.tsv';

describe('an archive is evaluated with the settings of its run, so that loss and table are the run’s for the same file', () => {
  test.each([
    ['weighted loss', [test_ds, 'model.dataset.class_balancing=weighted_loss', 'model.test_ds.batch_size=4']],
    [
      'bucketed batches and drop_last',
      [
        test_ds,
        'model.test_ds.shuffle=true',
        'model.test_ds.batch_size=3',
        'model.test_ds.drop_last=true',
        'nautil.seed=7',
      ],
    ],
    ['a limit of batches', [test_ds, 'trainer.limit_test_batches=2', 'model.test_ds.batch_size=5']],
    ['one batch', [test_ds, 'trainer.limit_test_batches=1', 'model.test_ds.batch_size=5']],
    [
      'a RoBERTa with NeMo’s padding',
      [
        test_ds,
        `model.language_model.pretrained_model_name=${goldenPath('roberta-tiny')}`,
        'nautil.batches.nemo_padding=true',
        'nautil.batches.length_multiple=16',
        'model.test_ds.batch_size=4',
      ],
    ],
    ['bfloat16', [test_ds, 'trainer.precision=bf16-mixed', 'model.test_ds.batch_size=7']],
    [
      'a validation set alone',
      [
        'model.validation_ds.file_path=held-out.tsv',
        'model.validation_ds.batch_size=6',
        'trainer.limit_val_batches=0.5',
      ],
    ],
  ])(
    '%s',
    async (name, overrides) => {
      const printed = await train(name.replaceAll(/\W/g, '-'), overrides);
      const scores = await recordedScores(name.replaceAll(/\W/g, '-'));
      const { loss, report } = await evaluate(name.replaceAll(/\W/g, '-'));
      expect(scores).toMatchObject({
        loss,
        accuracy: report.accuracy,
        f1Macro: report.macro.f1,
        examples: report.support,
      });
      expect(printed).toContain(formatReport(report));
    },
    60_000,
  );

  test('a key that the user sets takes precedence, and an evaluation on no batch is rejected by name', async () => {
    await train('plain', [test_ds, 'model.test_ds.batch_size=4']);
    const whole = await evaluate('plain');
    const limited = await evaluate('plain', ['trainer.limit_test_batches=2']);
    expect(limited.report.support).toBe(8);
    expect((await evaluate('plain', ['model.test_ds.batch_size=5'])).loss).not.toBe(whole.loss);
    await expect(evaluate('plain', ['trainer.limit_test_batches=0'])).rejects.toMatchObject({
      message: 'trainer.limit_test_batches=0 of 11 batches is no batch',
    });
    await expect(
      evaluate('plain', ['model.test_ds.drop_last=true', 'model.test_ds.batch_size=1000']),
    ).rejects.toMatchObject({ name: 'NoBatches', message: expect.stringContaining('model.test_ds: drop_last=true') });
  }, 60_000);
});
