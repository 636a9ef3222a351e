import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { convert, download, resolveRun } from './index.js';

let home: string;
const homeBefore = process.env['NAUTIL_HOME'];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'nautil-convert-'));
  process.env['NAUTIL_HOME'] = home;
});
afterEach(() => {
  if (homeBefore === undefined) delete process.env['NAUTIL_HOME'];
  else process.env['NAUTIL_HOME'] = homeBefore;
  rmSync(home, { recursive: true, force: true });
});

async function converted(files: Record<string, string>, ...overrides: string[]) {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(home, name), content);
  const run = await resolveRun({
    workflowId: 'w',
    runKey: 'r',
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

test.each(['a\n', 'a\nb\nc\n', 'a\na\n'])(
  'the class names %j for two classes are rejected before training',
  async (names) => {
    const file = `model.class_labels.class_labels_file=${join(home, 'names.tsv')}`;
    await expect(converted({ 'train.tsv': 'a\t0\nb\t1\n', 'names.tsv': names }, file)).rejects.toThrow(/names\.tsv/);
  },
);

test('a test file without labels is left out, and skipped lines are listed with their reasons', async () => {
  const data = await converted(
    { 'train.tsv': 'text\tlabel\na\t0\nb\t1\n', 'test.tsv': 'a\t-1\nb\t-1\n' },
    `model.test_ds.file_path=${join(home, 'test.tsv')}`,
  );
  expect(data.test).toBeUndefined();
  expect(data.detail).toMatch(/test\.tsv has no labels/);
  expect(data.detail).toMatch(/1 line skipped in .*train\.tsv \(line 1: the last word, "label"/);
});
