import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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

describe('tables', () => {
  const names = ['bad', 'good'];
  const rows = () =>
    lines
      .filter((line) => line !== '')
      .map((line) => {
        const [text = '', id = ''] = line.split(/\t(?=\d+$)/);
        return { text, label: names[Number(id) % 2]! }; // two classes in every reference set
      });
  const csv = (some: ReturnType<typeof rows>): string[] => [
    'id,review,label',
    ...some.map(({ text, label }, id) => `${id},"${text.replaceAll('"', '""')}",${label}`),
  ];
  const testRows = () => rows().slice(20);

  beforeAll(async () => {
    await write('train.csv', csv(rows().slice(0, 40)));
    await write('test.csv', csv(testRows()));
    await write(
      'test.jsonl',
      testRows().map((row) => JSON.stringify(row)),
    );
    await write(
      'ids.tsv',
      testRows().map(({ text, label }) => `${text}\t${names.indexOf(label)}`),
    );
    const folders = testRows().map(({ text, label }, row) => [`texts/${label}`, `${row}.txt`, text] as const);
    for (const [path, name, text] of folders) {
      await mkdir(join(folder, path), { recursive: true });
      await writeFile(join(folder, path, name), text);
    }
    await train('tables', ['model.train_ds.file_path=train.csv', 'model.test_ds.file_path=test.csv']);
  }, 60_000);

  const listOf = async (name: string, overrides: string[], more = {}) => {
    const found = await evaluationOf(
      { overrides: [`model.nemo_path=${name}.nemo`, ...overrides] },
      { cwd: folder, list: { path: join(folder, 'errors.csv'), force: true }, ...more },
    );
    return { ...found, errors: found.errors! };
  };

  test.each(['test.csv', 'test.jsonl', 'ids.tsv', 'texts'])(
    'the same examples have the scores of the run and the same mistakes in every format: %s',
    async (file) => {
      const { evaluation, errors } = await listOf('tables', [`model.test_ds.file_path=${file}`]);
      const { report, loss } = evaluation;
      // The texts of class folders have another order, and so other batches, of which the loss is the mean.
      const sameOrder = file === 'texts' ? {} : { loss };
      const { macro, support: examples } = report;
      expect(await recordedScores('tables')).toMatchObject({ f1Macro: macro.f1, examples, ...sameOrder });
      expect(errors).toHaveLength(Math.round((1 - report.accuracy) * report.support));
      expect(errors.map(({ text, label }) => ({ text, label }))).toEqual(
        expect.arrayContaining(testRows().filter(({ text }) => errors.some((error) => error.text === text))),
      );
      const confident = errors.map(({ otherScore }) => otherScore);
      expect(confident).toEqual([...confident].sort((a, b) => b - a));
      for (const { label, other, labelScore, otherScore } of errors) {
        expect(other).not.toBe(label);
        expect(otherScore).toBeGreaterThanOrEqual(labelScore);
      }
    },
    60_000,
  );

  test('each listed example is at its place in the file', async () => {
    const { errors } = await listOf('tables', ['model.test_ds.file_path=test.csv']);
    const content = (await readFile(join(folder, 'test.csv'), 'utf8')).split('\n');
    expect(errors.length).toBeGreaterThan(0);
    for (const { place, text, label } of errors) {
      const line = content[Number(/:(\d+)$/.exec(place)?.[1]) - 1]!;
      expect(line.replaceAll('""', '"')).toContain(`"${text}",${label}`);
    }
  }, 60_000);

  test('labels that the model does not know are listed, or left out and counted', async () => {
    const odd = [
      { text: 'a film', label: 'so-so' },
      { text: 'b film', label: 'Good' },
      { text: 'c film', label: 'so-so' },
    ];
    await write('odd.csv', csv([...testRows(), ...odd]));
    const given = ['model.test_ds.file_path=odd.csv'];
    await expect(listOf('tables', given)).rejects.toMatchObject({
      message: expect.stringMatching(
        /odd\.csv has 2 labels that the model does not know:\n {2}"so-so": 2 rows, the first is .*odd\.csv:\d+\n {2}"Good": 1 row/,
      ),
      hint: expect.stringContaining('the classes of the model are bad and good'),
    });
    const { report } = (await listOf('tables', given, { skipsUnknown: true })).evaluation;
    expect(report.support).toBe(testRows().length);
    await write('odd.tsv', ['a film\t1', 'b film\t7', 'c film\t0']);
    const nemo = ['model.test_ds.file_path=odd.tsv'];
    await expect(listOf('tables', nemo)).rejects.toThrow(/odd\.tsv:2: label 7 is not between 0 and 1/);
    expect((await listOf('tables', nemo, { skipsUnknown: true })).evaluation.report.support).toBe(2);
  }, 60_000);

  test('num_samples takes the examples that a run takes, or the first with nautil.data.sample=first', async () => {
    const sample = ['model.test_ds.file_path=test.csv', 'model.test_ds.num_samples=17'];
    await train('sampled', ['model.train_ds.file_path=train.csv', ...sample]);
    const { loss, report } = (await listOf('sampled', sample.slice(0, 1))).evaluation;
    expect(await recordedScores('sampled')).toMatchObject({ loss, accuracy: report.accuracy, examples: 17 });
    const first = await listOf('sampled', [...sample, 'nautil.data.sample=first']);
    await write('first.csv', csv(testRows().slice(0, 17)));
    const whole = await listOf('sampled', ['model.test_ds.file_path=first.csv', 'model.test_ds.num_samples=-1']);
    expect(first.evaluation.loss).toBe(whole.evaluation.loss);
    expect(first.evaluation.loss).not.toBe(loss);
  }, 60_000);

  test('columns are named by the keys of a run, and a column that does not exist is an error with all columns', async () => {
    await write(
      'odd-names.csv',
      csv(testRows()).map((line, row) => (row === 0 ? 'a,b,c' : line)),
    );
    const file = 'model.test_ds.file_path=odd-names.csv';
    const columns = ['nautil.data.text_column=b', 'nautil.data.label_column=c'];
    const named = await listOf('tables', [file, ...columns]);
    expect(named.evaluation.report.support).toBe(testRows().length);
    await expect(listOf('tables', [file, 'nautil.data.text_column=review'])).rejects.toMatchObject({
      message: expect.stringContaining('has no column "review", which nautil.data.text_column names'),
      hint: expect.stringContaining('the columns and their first values are'),
    });
  }, 60_000);
});
