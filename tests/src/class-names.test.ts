import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { Classifier } from '@nautil/training';
import { observeRun } from './testing/observe-run.js';
import { programEnvironment } from './testing/program-environment.js';

const root = mkdtempSync(join(tmpdir(), 'nautil-names-'));
const environment = programEnvironment(join(root, 'home'));
const trainers = new Trainers(environment);
beforeAll(async () => {
  Object.assign(process.env, environment);
  await cp(goldenPath('bert-tiny-uncased'), join(root, 'encoder'), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const films = 'a fine film\t1\na tired remake\t0\n';

test.each([
  ['one name per line', { 'names.tsv': 'bad\ngood\n', 'train.tsv': films }, [], ['bad', 'good']],
  ['name<TAB>id', { 'names.tsv': 'good\t1\nbad\t0\n', 'train.tsv': films }, [], ['bad', 'good']],
  ['id<TAB>name', { 'names.tsv': '1\tgood\n0\tbad\n', 'train.tsv': films }, [], ['bad', 'good']],
  [
    'renumbered labels',
    { 'names.tsv': 'good\t70\nbad\t-3\n', 'train.tsv': 'a fine film\t70\na tired remake\t-3\n' },
    ['nautil.data.relabel=true'],
    ['bad', 'good'],
  ],
  [
    'an imported data set',
    { 'source/train.tsv': `sentence\tlabel\n${films}`, 'source/dev.tsv': `sentence\tlabel\n${films}` },
    ['nautil.data.format=sst-2', 'nautil.data.source=source', 'model.train_ds.file_path=null'],
    ['negative', 'positive'],
  ],
])(
  'a checkpoint and the archive of a run have the same class names, from %s',
  async (form, files, more, names) => {
    const cwd = join(root, form.replaceAll(/\W/g, '-'));
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), content);
    }
    const seen = await observeRun({
      cwd,
      trainers,
      runKey: form,
      overrides: [
        'trainer.accelerator=cpu',
        'trainer.max_epochs=1',
        'exp_manager.explicit_log_dir=logs',
        `model.language_model.pretrained_model_name=${join(root, 'encoder')}`,
        'model.nemo_path=model.nemo',
        'model.train_ds.file_path=train.tsv',
        'model.dataset.num_classes=null',
        'model.dataset.max_seq_length=64',
        ...('names.tsv' in files ? ['model.class_labels.class_labels_file=names.tsv'] : []),
        ...more,
      ],
    });
    expect(seen.failure).toBeUndefined();
    const checkpoint = readdirSync(join(cwd, 'logs/checkpoints')).find((name) => name.endsWith('last.ckpt'));
    for (const path of [join(cwd, 'model.nemo'), join(cwd, 'logs/checkpoints', String(checkpoint))]) {
      const classifier = await Classifier.open(path);
      expect(classifier.labels).toEqual(names);
      const [prediction] = await classifier.predict(['a fine film']);
      expect(names).toContain(prediction?.label);
      classifier.close();
    }
  },
  120_000,
);
