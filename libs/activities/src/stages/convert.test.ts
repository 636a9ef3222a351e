import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { convert, download, resolveRun } from './index.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'nautil-convert-'));
  process.env['NAUTIL_HOME'] = home;
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

async function converted(files: Record<string, string>, ...overrides: string[]) {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(home, name), content);
  const run = await resolveRun({
    workflowId: 'w',
    runKey: randomUUID(),
    taskQueue: 'q',
    overrides: [
      `exp_manager.exp_dir=${join(home, 'runs')}`,
      `model.train_ds.file_path=${join(home, 'train.tsv')}`,
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      'model.dataset.num_classes=null',
      ...overrides,
    ],
  });
  return convert({ run, source: await download({ run }) });
}

test.each([
  ['a\t0\nb\t-1\n', /train\.tsv:2: label -1 is below 0/],
  ['a\t0\nb\t10000\n', /train\.tsv:2: .* 9999 of 10001 classes/],
  ['a\t1\nb\t1\n', /same label/],
])('training data with the labels of %j is rejected before training', async (content, message) => {
  await expect(converted({ 'train.tsv': content })).rejects.toThrow(message);
});

test.each(['a\n', 'a\nb\nc\n', 'a\na\n', '', '\n', 'a\n\nb\n'])(
  'the class names %j for two classes are rejected before training, with the file and its key',
  async (names) => {
    const file = `model.class_labels.class_labels_file=${join(home, 'names.tsv')}`;
    await expect(converted({ 'train.tsv': 'a\t0\nb\t1\n', 'names.tsv': names }, file)).rejects.toMatchObject({
      message: expect.stringMatching(/names\.tsv/),
      hint: expect.stringContaining('model.class_labels.class_labels_file names this file'),
    });
  },
);

test('a test file without labels is left out, and skipped lines are listed with their reasons', async () => {
  const data = await converted(
    { 'train.tsv': 'text\tlabel\na\t0\nb\t1\n', 'test.tsv': 'a\t-1\nb\t-1\n' },
    `model.test_ds.file_path=${join(home, 'test.tsv')}`,
  );
  expect(data.test).toBeUndefined();
  expect(data.notes).toContainEqual(expect.stringMatching(/test\.tsv has no labels/));
  expect(data.notes).toContainEqual(
    expect.stringMatching(/1 line skipped in .*train\.tsv \(line 1: the last word, "label"/),
  );
});

test('all problems of the data files are reported at once', async () => {
  const failure = converted(
    { 'train.tsv': 'a\t0\nb\t1\n', 'dev.tsv': 'a\t0\nb\t7\n', 'test.tsv': 'nothing\n', 'names.tsv': 'a\nb\nc\n' },
    `model.validation_ds.file_path=${join(home, 'dev.tsv')}`,
    `model.test_ds.file_path=${join(home, 'test.tsv')}`,
    `model.class_labels.class_labels_file=${join(home, 'names.tsv')}`,
  );
  await expect(failure).rejects.toThrow(/dev\.tsv:2: label 7 .*\n.*test\.tsv has no valid line.*\n.*names\.tsv has 3/);
});

test('labels beyond num_samples are checked when the weights of the loss are computed from them', async () => {
  const given = ['model.dataset.num_classes=2', 'model.train_ds.num_samples=2'];
  const files = { 'train.tsv': 'a\t0\nb\t1\nc\t9\n' };
  await expect(converted(files, ...given, 'model.dataset.class_balancing=weighted_loss')).rejects.toThrow(
    /train\.tsv:3: label 9/,
  );
  expect((await converted(files, ...given)).examples).toEqual({ train: 2 });
});

test('a run notes that texts are in quotation marks', async () => {
  const { notes } = await converted({ 'train.tsv': '"a ""b"" c"\t0\n"b"\t1\nsaid "so"\t0\n' });
  expect(notes).toContainEqual(
    expect.stringMatching(/2 of 3 texts in .*train\.tsv are in quotation marks, and the marks become tokens/),
  );
});

describe('a setting without effect on the data', () => {
  const rows = (count: number): string => 'a good film\t1\na bad one\t0\n'.repeat(count / 2);
  const withTest = (...overrides: string[]) => [`model.test_ds.file_path=${join(home, 'test.tsv')}`, ...overrides];

  test('is reported by the stage that reads the data', async () => {
    const files = { 'train.tsv': rows(16), 'test.tsv': 'a\t-1\n' };
    const absent = withTest('model.test_ds.batch_size=8', '+trainer.limit_test_batches=2');
    expect((await converted(files, ...absent)).notes).toContainEqual(
      expect.stringMatching(
        /^the data has no test examples, so that trainer.limit_test_batches and model.test_ds.batch_size have no effect$/,
      ),
    );
    const { notes } = await converted(
      { 'train.tsv': rows(16), 'test.tsv': rows(8) },
      ...withTest('model.test_ds.batch_size=4', 'model.test_ds.shuffle=true', 'model.train_ds.num_workers=5'),
      'model.train_ds.batch_size=4',
      'nautil.batches.bucket_by_length=false',
      'nautil.data.relabel=true',
    );
    expect(notes).toEqual([
      expect.stringContaining('8 of 8 test texts are in the training data, too'),
      'nautil.data.relabel has no effect on the labels: they are 0 to 1 already',
      'model.train_ds.num_workers has no effect: threads are started for 8192 examples or more',
      'model.test_ds.shuffle has no effect: every batch is full, and every one is evaluated',
      'nautil.batches.bucket_by_length has no effect: 8 or more full batches of shuffled data are grouped',
    ]);
  });

  test('is not reported where it has one, nor where nobody set it', async () => {
    const files = { 'train.tsv': rows(32), 'test.tsv': rows(10) };
    const { notes } = await converted(
      files,
      ...withTest('model.test_ds.batch_size=4', 'model.test_ds.shuffle=true'),
      'model.train_ds.batch_size=4',
      'nautil.batches.bucket_by_length=false',
    );
    expect(notes).not.toContainEqual(expect.stringContaining('no effect'));
    expect((await converted({ 'train.tsv': rows(16) })).notes).not.toContainEqual(expect.stringContaining('no effect'));
    const limited = withTest(
      'model.test_ds.batch_size=5',
      'model.test_ds.shuffle=true',
      '+trainer.limit_test_batches=1',
    );
    expect((await converted(files, ...limited)).notes).not.toContainEqual(expect.stringContaining('no effect'));
  });

  test('two keys that name the training data are rejected', async () => {
    const source = `nautil.data.source=${join(home, 'other.tsv')}`;
    const failure = converted({ 'train.tsv': rows(16), 'other.tsv': rows(16) }, source);
    await expect(failure).rejects.toThrow(/is a single file, and model.train_ds.file_path names another/);
  });
});

describe('nautil.data.relabel=true', () => {
  const relabel = 'nautil.data.relabel=true';
  const contentOf = (ref: { path: string } | undefined) => readFileSync(String(ref?.path), 'utf8');

  test('numbers the labels of all splits in ascending order of the training labels, which become the names', async () => {
    const data = await converted(
      { 'train.tsv': 'text\tlabel\na b\t30\n\nc\t-1\nd\t7\n', 'dev.tsv': 'e\t7\nf\t-1\n', 'test.tsv': 'g\t-1\n' },
      relabel,
      `model.validation_ds.file_path=${join(home, 'dev.tsv')}`,
      `model.test_ds.file_path=${join(home, 'test.tsv')}`,
    );
    expect(contentOf(data.train)).toBe('text\tlabel\na b\t2\n\nc\t0\nd\t1\n');
    expect(contentOf(data.validation)).toBe('e\t1\nf\t0\n');
    expect(contentOf(data.test)).toBe('g\t0\n');
    expect(contentOf(data.labels)).toBe('-1\n7\n30\n');
    expect(data.numClasses).toBe(3);
    expect(data.notes).toContainEqual(
      expect.stringContaining('the labels were renumbered: -1 is now 0, 7 is now 1, 30 is now 2'),
    );
  });

  test.each(['good\t30\nbad\t7\nunused\t1\n', '7\tbad\n30\tgood\n'])('keeps the names of %j', async (names) => {
    const file = `model.class_labels.class_labels_file=${join(home, 'names.tsv')}`;
    const data = await converted({ 'train.tsv': 'a\t30\nb\t7\n', 'names.tsv': names }, relabel, file);
    expect(contentOf(data.labels)).toBe('bad\ngood\n');
  });

  test.each([
    ['names.tsv', 'good\t30\n', 'model.class_labels.class_labels_file', /names\.tsv has no name for label 7/],
    ['dev.tsv', 'a\t30\nb\t8\n', 'model.validation_ds.file_path', /dev\.tsv:2: label 8 does not occur in the training/],
    ['test.tsv', 'a\t-1\nb\t7\n', 'model.test_ds.file_path', /test\.tsv:1: label -1 does not occur in the training/],
  ])('%s of %j is rejected', async (name, content, key, message) => {
    const files = { 'train.tsv': 'a\t30\nb\t7\n', [name]: content };
    await expect(converted(files, relabel, `${key}=${join(home, name)}`)).rejects.toThrow(message);
  });

  test('rejects a num_classes that is not the number of labels', async () => {
    const files = { 'train.tsv': 'a\t30\nb\t7\n' };
    await expect(converted(files, relabel, 'model.dataset.num_classes=31')).rejects.toThrow(/2 different labels/);
    expect((await converted(files, relabel, 'model.dataset.num_classes=2')).numClasses).toBe(2);
  });
});
