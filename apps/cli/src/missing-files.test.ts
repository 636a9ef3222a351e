import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { goldenFiles, goldenPath, withFolder } from '@nautil/testing';

const archive = goldenFiles('nemo-files', '.nemo')[0]!;
const encoder = 'model.language_model.pretrained_model_name';
const trainOn = (file: string, name: string) => ['train', `model.train_ds.file_path=${file}`, `${encoder}=${name}`];
const trainFrom = (source: string) => [
  'train',
  `nautil.data.source=${source}`,
  `${encoder}=${goldenPath('bert-tiny-uncased')}`,
];

test.each([
  ['a file to inspect', ['inspect', 'absent.csv']],
  ['a table to convert', ['convert', 'absent.csv', 'absent.tsv']],
  ['data for a new configuration', ['new', 'x', '--data', 'absent.csv']],
  ['a validation file for one', ['new', 'x', '--data', 'train.tsv', '--validation', 'absent.csv']],
  ['an encoder for one', ['new', 'x', '--data', 'train.tsv', '--encoder', './absent']],
  ['an archive to predict with', ['predict', '--model', 'absent.nemo', '--input', 'train.tsv']],
  ['a text to classify', ['predict', '--model', archive, '--input', 'absent.txt']],
  ['an archive to evaluate', ['evaluate', 'model.nemo_path=absent.nemo', 'model.test_ds.file_path=train.tsv']],
  ['texts to evaluate on', ['evaluate', `model.nemo_path=${archive}`, 'model.test_ds.file_path=absent.tsv']],
  ['an archive to verify', ['verify', 'absent.nemo']],
  ['an encoder to compute with', ['encode', '--model', './absent', '--input', 'train.tsv']],
  ['the tokenizer of an encoder to compute with', ['encode', '--model', 'no-tokenizer', '--input', 'train.tsv']],
  ['an encoder to train', trainOn('train.tsv', './absent')],
  ['an encoder of the hub, which has none', trainOn('train.tsv', 'nobody/absent')],
  ['the tokenizer of an encoder to train', trainOn('train.tsv', './no-tokenizer')],
  ['training data', trainOn('absent.tsv', goldenPath('bert-tiny-uncased'))],
  ['a source of data', trainFrom('./absent')],
  ['a data set of the hub, which has none', trainFrom('nobody/absent')],
])(
  'what is missing ends a command with exit code 3: %s',
  async (_, args) => {
    await withFolder({ 'train.tsv': 'a good film\t1\na bad film\t0\n' }, (folder) => {
      mkdirSync(join(folder, 'no-tokenizer'));
      for (const file of ['config.json', 'model.safetensors'])
        copyFileSync(goldenPath('bert-tiny-uncased', file), join(folder, 'no-tokenizer', file));
      const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
      const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: {
          ...process.env,
          ...{ INIT_CWD: folder, HF_HUB_OFFLINE: '1', HF_HOME: join(folder, 'hub') },
          // Where a run has its folder. The others compute with the TensorFlow that is installed in the usual place.
          ...(args[0] === 'train' ? { NAUTIL_HOME: join(folder, 'home') } : {}),
        },
      });
      expect({ status, stderr }).toEqual({ status: 3, stderr: expect.not.stringMatching(/^ +at /m) });
      expect(stderr).toMatch(/absent|no-tokenizer/);
      return Promise.resolve();
    });
  },
  60_000,
);
