import { copyFileSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '@nautil/config';
import { goldenPath, withFolder } from '@nautil/testing';
import { checkRequest } from './stages/resolve-run.js';

const encoder = goldenPath('bert-tiny-uncased');
const largeVocabulary = goldenPath('tokenizers/bert');
const tsv = 'a good film\t1\na bad film\t0\n';

/** The error of the check of a run in a folder with `train.tsv`, or undefined. */
async function failureOf(
  overrides: string[],
  o: { files?: Record<string, string>; prepare?: (folder: string) => void; configPath?: string } = {},
): Promise<Error & { hint?: string; kind?: string }> {
  return withFolder({ 'train.tsv': tsv, ...o.files }, async (folder) => {
    o.prepare?.(folder);
    const given = [
      'model.train_ds.file_path=train.tsv',
      `model.language_model.pretrained_model_name=${encoder}`,
      ...overrides,
    ];
    const { configPath } = o;
    return checkRequest(
      { overrides: given, ...(configPath === undefined ? {} : { configPath }) },
      { cwd: folder },
    ).then(
      () => new Error('nothing: the check passed'),
      (error: unknown) => error as Error,
    );
  });
}

test('a run whose files, encoder and outputs can be used passes', async () => {
  expect((await failureOf(['model.nemo_path=new/folder/model.nemo'])).message).toBe('nothing: the check passed');
});

test('the best weights of NeMo’s TSV need a validation set, which may be a part of the training data', async () => {
  const best = 'exp_manager.checkpoint_callback_params.save_best_model=true';
  expect((await failureOf([best])).message).toContain('needs the results of validations, and the run has none');
  const files = { 'train.tsv': tsv.repeat(5) };
  const divided = await failureOf([best, 'nautil.data.validation_fraction=0.2'], { files });
  expect(divided.message).toBe('nothing: the check passed');
});

describe.each([
  'model.train_ds.file_path',
  'model.validation_ds.file_path',
  'model.test_ds.file_path',
  'model.class_labels.class_labels_file',
  'model.language_model.lm_checkpoint',
  'model.language_model.config_file',
  'model.tokenizer.vocab_file',
  'model.tokenizer.tokenizer_model',
])('an input file that can’t be opened: %s', (key) => {
  test.each([
    ['does not exist', 'nowhere.model'],
    ['a part of its path is a file', 'train.tsv/inside.model'],
    ['its symbolic links form a loop', 'loop.model'],
    ['its name is too long', `${'n'.repeat(300)}.model`],
  ])('%s', async (problem, path) => {
    const failure = await failureOf([`${key}=${path}`], {
      prepare: (folder) => symlinkSync('loop.model', join(folder, 'loop.model')),
    });
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain(`${key}: `);
    expect(failure.message).toContain(problem);
  });
});

test.each(['model.train_ds.file_path', 'model.validation_ds.file_path', 'model.class_labels.class_labels_file'])(
  '%s must not be a folder',
  async (key) => {
    const failure = await failureOf([`${key}=folder`], { prepare: (folder) => mkdirSync(join(folder, 'folder')) });
    expect(failure.message).toMatch(new RegExp(`^${key}: .*/folder is a folder$`));
  },
);

test.each([
  ['model.nemo_path=folder', /folder is a folder$/],
  ['model.nemo_path=train.tsv/model.nemo', /train\.tsv is a file, and a folder is needed there$/],
  ['exp_manager.exp_dir=train.tsv', /train\.tsv is a file, and a folder is needed there$/],
  ['exp_manager.exp_dir=train.tsv/logs', /train\.tsv is a file, and a folder is needed there$/],
  ['exp_manager.explicit_log_dir=train.tsv', /train\.tsv is a file, and a folder is needed there$/],
  ['model.nemo_path=/tmp/new.nemo/', /new\.nemo\/ is a folder$/],
  [`model.nemo_path=${'n'.repeat(300)}.nemo`, /its name is too long$/],
])('an output that can’t be written is found before the run: %s', async (override, message) => {
  const failure = await failureOf([override], { prepare: (folder) => mkdirSync(join(folder, 'folder')) });
  expect(failure.message).toMatch(message);
});

test.each(['/proc/model.nemo', '/proc/new/model.nemo'])(
  'a folder that accepts no file is found before the run, whatever its mode: %s',
  async (path) => {
    const failure = await failureOf([`model.nemo_path=${path}`]);
    expect(failure.message).toBe('model.nemo_path: nothing can be written in /proc');
  },
);

test.each([
  ['exp_manager.name', 'a/b'],
  ['exp_manager.name', '..'],
  ['exp_manager.version', 'one/two'],
  ['exp_manager.name', 'n'.repeat(200)],
])('a value that can’t be part of the name of a file is rejected: %s, case %#', async (key, value) => {
  const failure = await failureOf([`${key}=${value}`]);
  expect(failure.message).toMatch(new RegExp(`^${key}: .* can't be part of the name of a file$`));
});

test.each(['\x1b[31mred', 'a\nb', 'a\tb', 'a\x7f', 'a\u202eb'])(
  'a control character in the name of a file that the run writes is rejected by name: %j',
  async (name) => {
    for (const [key, value] of [
      ['exp_manager.name', name],
      ['model.nemo_path', `${name}.nemo`],
    ]) {
      const failure = await failureOf([`${key}="${value}"`]);
      expect(failure.message).toMatch(new RegExp(`^${key}: ".*" can't be `));
      expect(failure.hint).toContain('without');
    }
  },
);

test('all problems are reported at once', async () => {
  const failure = await failureOf([
    'model.test_ds.file_path=gone.tsv',
    'model.nemo_path=.',
    'exp_manager.exp_dir=train.tsv',
  ]);
  expect(failure.message).toMatch(/^3 problems in the configuration\n/);
  expect(failure.message).toContain('model.test_ds.file_path: ');
  expect(failure.message).toContain('model.nemo_path: ');
  expect(failure.message).toContain('exp_manager.exp_dir: ');
});

test.each([
  ['missing', 'does not exist'],
  ['train.tsv', 'is a file, not a folder'],
  ['train.tsv/conf', 'does not exist'],
])(
  '--config-path=%s is rejected, and the shipped configuration is not used in its place',
  async (configPath, problem) => {
    const failure = await failureOf([], { configPath });
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toMatch(/^--config-path: /);
    expect(failure.message).toContain(problem);
  },
);

test('a length that the encoder has no positions for is rejected, and -1 and 0 mean the longest', async () => {
  const failure = await failureOf(['model.dataset.max_seq_length=5000']);
  expect(failure.message).toMatch(
    /^model\.dataset\.max_seq_length is 5000, and the encoder has positions for \d+ tokens$/,
  );
  for (const length of [-1, 0]) {
    expect((await failureOf([`model.dataset.max_seq_length=${length}`])).message).toBe('nothing: the check passed');
  }
});

test.each(['model.tokenizer.tokenizer_model', 'model.tokenizer.vocab_file'])(
  '%s is read as the SentencePiece model of the encoder’s tokenizer',
  async (key) => {
    const withWords = (words: number): Promise<Error> =>
      failureOf([
        `${key}=${goldenPath('tokenizers/albert/spiece.model')}`,
        `model.language_model.config={model_type: albert, hidden_size: 8, num_attention_heads: 2, embedding_size: 8, vocab_size: ${words}}`,
        'model.language_model.pretrained_model_name=not/installed',
      ]);
    expect((await withWords(8)).message).toMatch(/the tokenizer has 360 ids, and the encoder .* embeddings for 8$/);
    expect((await withWords(30_000)).message).toBe('nothing: the check passed');
  },
);

test.each<[key: string, advice: string, overrides: string[]]>([
  ['tokenizer.vocab_file', 'leave the key out', [`model.tokenizer.vocab_file=${largeVocabulary}/vocab.txt`]],
  ['tokenizer.tokenizer_name', 'leave the key out', [`model.tokenizer.tokenizer_name=${largeVocabulary}`]],
  [
    'language_model.pretrained_model_name',
    'model.tokenizer.tokenizer_name=FOLDER',
    ['model.language_model.pretrained_model_name=encoder'],
  ],
])('a tokenizer with more ids than the encoder has embeddings is rejected by model.%s', async (key, advice, given) => {
  const prepare = (folder: string): void => {
    cpSync(encoder, join(folder, 'encoder'), { recursive: true });
    rmSync(join(folder, 'encoder/tokenizer.json'));
    copyFileSync(join(largeVocabulary, 'vocab.txt'), join(folder, 'encoder/vocab.txt'));
  };
  const failure = await failureOf(given, { prepare });
  expect(failure.message).toMatch(
    new RegExp(`^model\\.${key}: the tokenizer has 30522 ids, and the encoder .* has embeddings for \\d+$`),
  );
  expect(failure.hint).toContain(advice);
});

test.each([
  [{ 'enc/config.json': '{' }, /config\.json/],
  [{ 'enc/config.json': '{"model_type": "gpt2"}' }, /enc\/config\.json: the model type "gpt2"/],
  [{ 'enc/vocab.txt': '[PAD]\n[UNK]\n[CLS]\n[SEP]\n' }, /no weights in this folder/],
])('an encoder that can’t be used is found before the run: %j', async (files, message) => {
  const prepare = (folder: string): void => {
    mkdirSync(join(folder, 'enc'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };
  const failure = await failureOf(['model.language_model.pretrained_model_name=enc'], { prepare });
  expect(failure.message).toMatch(message);
});

describe.each([
  ['model.language_model.pretrained_model_name', []],
  ['model.language_model.pretrained_model_name', [`model.language_model.lm_checkpoint=http://127.0.0.1:9/w.pt`]],
  ['model.tokenizer.tokenizer_name', []],
  ['model.tokenizer.tokenizer_name', ['model.language_model.pretrained_model_name=not/installed']],
  ['nautil.data.source', []],
])('a name that is not on this disk, in %s, with %j', (key, others) => {
  test.each(['a/b/c', 'a--b', 'owner/name.git', 'name-', '-name', 'two words', 'n'.repeat(97)])(
    'is rejected before the run if the hub can’t have it: %s',
    async (name) => {
      const failure = await failureOf([...others, `${key}='${name}'`]);
      expect(failure.message).toContain(`${key}: `);
      expect(failure.message).toContain("does not exist, and can't be a name on the Hugging Face hub");
    },
  );
});

test('a file that is bad as two splits is reported once', async () => {
  const failure = await failureOf(['model.validation_ds.file_path=bad.tsv', 'model.test_ds.file_path=bad.tsv'], {
    files: { 'bad.tsv': 'a film\t7\n' },
  });
  expect(failure.message).toMatch(/^\S+bad\.tsv:1: label 7 is not between 0 and 1 \(num_classes is 2\)$/);
});

test.each([
  ['training labels', 'train.tsv', 'a\t0\nb\t-1\n', 'model.train_ds.file_path', /train\.tsv:2: label -1/],
  ['validation labels', 'dev.tsv', 'a\t5\n', 'model.validation_ds.file_path', /dev\.tsv:1: label 5/],
  ['test lines', 'test.tsv', 'a\tgood\n', 'model.test_ds.file_path', /test\.tsv has no valid line/],
  ['class names', 'names.tsv', 'a\n', 'model.class_labels.class_labels_file', /names\.tsv has 1 name,/],
  ['formats', 'train.tsv', 'text,label\na,1\n', 'model.train_ds.file_path', /train\.tsv: all rows have the label "1"/],
  ['formats', 'dev.tsv', 'text,label\na,1\n', 'model.validation_ds.file_path', /dev\.tsv looks like CSV/],
])('bad %s are found before a run starts', async (_, name, content, key, message) => {
  const failure = await failureOf([`${key}=${name}`, 'model.dataset.num_classes=null'], { files: { [name]: content } });
  expect(failure.message).toMatch(message);
});
