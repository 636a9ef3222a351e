import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { formatError } from '@nautil/contracts';
import { ConfigError } from './config-error.js';
import { loadConfig, type LoadOptions } from './load-config.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'nautil-config-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const load = (...overrides: string[]) => loadConfig({ overrides });

/** The text that a terminal shows when a configuration is rejected. */
async function rejection(options: LoadOptions): Promise<string> {
  const error: unknown = await loadConfig(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return formatError(error);
}

async function fromFile(text: string, overrides: string[] = []): Promise<LoadOptions> {
  await writeFile(join(folder, 'own.yaml'), text);
  return { configPath: folder, configName: 'own', cwd: folder, overrides };
}

describe('the most likely mistakes have these messages', () => {
  test.each<[string, string[], string]>([
    [
      'an unknown key',
      ['model.train_ds.batch_sise=3'],
      `override 1: model.train_ds.batch_sise is not a known key
  did you mean batch_size (now 64)?
  \`npx nautil config explain model.train_ds\` lists the keys`,
    ],
    [
      'a key in the wrong section',
      ['trainer.lr=3'],
      `override 1: trainer.lr is not a known key
  did you mean model.optim.lr?
  \`npx nautil config explain trainer\` lists the keys`,
    ],
    [
      'an unknown key that is added with +',
      ['+model.train_ds.foo=1'],
      `override 1: model.train_ds.foo is not a known key
  \`npx nautil config explain model.train_ds\` lists the keys`,
    ],
    [
      'a word instead of a number',
      ['trainer.max_epochs=three'],
      `override 1: trainer.max_epochs is three; it must be a whole number, -1 or more; or null
  \`npx nautil config explain trainer.max_epochs\` describes it`,
    ],
    [
      'a negative batch size',
      ['model.train_ds.batch_size=-1'],
      `override 1: model.train_ds.batch_size is -1; it must be a whole number, 1 or more
  \`npx nautil config explain model.train_ds.batch_size\` describes it`,
    ],
    [
      'no devices',
      ['trainer.devices=0'],
      `override 1: trainer.devices is 0; training needs a device
  to train on the CPU: trainer.accelerator=cpu trainer.devices=1
  to train on GPUs: a number of them (trainer.devices=1), a list ([0,1]), or -1 for all`,
    ],
    ...[
      ['[0]', '[0]'],
      ['-1', '-1'],
      ["'1,2'", '"1,2"'],
    ].map(([written, shown]): [string, string[], string] => [
      `GPUs for the processor: ${written}`,
      ['trainer.accelerator=cpu', `trainer.devices=${written}`],
      `override 2: trainer.devices is ${shown}, which selects GPUs, and trainer.accelerator is cpu
  write a number of devices: trainer.devices=1`,
    ]),
    [
      'the same device twice',
      ['trainer.devices=[0,0]'],
      `override 1: trainer.devices is [0,0]; it must be a whole number, -1 or more; a list of different whole numbers, 0 or more; or auto
  \`npx nautil config explain trainer.devices\` describes it`,
    ],
    ...[
      ["'0,0'", '"0,0"'],
      ["'1,2,01'", '"1,2,01"'],
      ["'3, 3'", '"3, 3"'],
    ].map(([written, shown]): [string, string[], string] => [
      `the same device twice, as text: ${written}`,
      [`trainer.devices=${written}`],
      `override 1: trainer.devices is ${shown}, which names a device twice
  write each index once`,
    ]),
    [
      'a mistyped optimizer',
      ['model.optim.name=admw'],
      `override 1: model.optim.name is admw; it must be adam, adamw, sgd, adadelta, adamax, adagrad or rmsprop
  did you mean adamw?
  \`npx nautil config explain model.optim.name\` describes it`,
    ],
    [
      'an optimizer that NeMo has and Nautil does not',
      ['~model.optim.betas', 'model.optim.name=novograd'],
      `override 2: model.optim.name is novograd; it must be adam, adamw, sgd, adadelta, adamax, adagrad or rmsprop
  Nautil lacks rprop, novograd and adafactor of NeMo's optimizers: use adamw
  \`npx nautil config explain model.optim.name\` describes it`,
    ],
    [
      'a key of another optimizer',
      ['model.optim.momentum=0.9'],
      `override 1: adam has no model.optim.momentum
  adam takes lr, betas, eps, weight_decay, amsgrad, sched
  ~model.optim.momentum removes it`,
    ],
    [
      'a schedule without a key that it needs',
      ['model.optim.sched.name=StepLR'],
      `override 1: StepLR needs model.optim.sched.step_size`,
    ],
    [
      'an unsupported precision',
      ['trainer.precision=64'],
      `override 1: trainer.precision is 64; it must be 32, '32', '32-true', bf16, bf16-mixed, 16, '16', '16-mixed' or auto
  write bf16-mixed or 16-mixed for 16-bit training, or 32
  \`npx nautil config explain trainer.precision\` describes it`,
    ],
    ...['word', 'char', 'regex', 'yttm'].map((kind): [string, string[], string] => [
      `the tokenizer kind ${kind}`,
      [`model.tokenizer.tokenizer_name=${kind}`],
      `override 1: model.tokenizer.tokenizer_name is ${kind}, a kind of NeMo's tokenizers that Nautil does not support
  name a model or a folder with a tokenizer.json, a vocab.txt, a vocab.json or a SentencePiece model`,
    ]),
    ...['sentencepiece', 'SentencePiece'].map((kind): [string, string[], string] => [
      `the tokenizer kind ${kind}`,
      [`model.tokenizer.tokenizer_name=${kind}`, 'model.tokenizer.tokenizer_model=m.model'],
      `override 1: model.tokenizer.tokenizer_name is ${kind}, a kind of NeMo's tokenizers that Nautil does not support
  leave it out: model.tokenizer.tokenizer_model=FILE.model is read as Hugging Face's tokenizer of the encoder`,
    ]),
    [
      'a SentencePiece model that is none by its name',
      ['model.tokenizer.tokenizer_model=vocab.txt'],
      `override 1: model.tokenizer.tokenizer_model is vocab.txt; it must be a path that ends in .model or null
  \`npx nautil config explain model.tokenizer.tokenizer_model\` describes it`,
    ],
    [
      'two vocabularies',
      ['model.tokenizer.tokenizer_model=m.model', 'model.tokenizer.vocab_file=vocab.txt'],
      `override 1: model.tokenizer.tokenizer_model and model.tokenizer.vocab_file both replace the tokenizer's vocabulary
  set one of them: model.tokenizer.vocab_file takes a SentencePiece model too`,
    ],
    [
      'an unsupported logger',
      ['exp_manager.create_wandb_logger=true'],
      `override 1: exp_manager.create_wandb_logger is true; it must be false or null
  Nautil tracks runs in MLflow: nautil.mlflow.tracking_uri
  \`npx nautil config explain exp_manager.create_wandb_logger\` describes it`,
    ],
    [
      'a fraction above one',
      ['trainer.limit_train_batches=2.0'],
      `override 1: trainer.limit_train_batches is 2; a number with a decimal point is a fraction, at most 1.0
  write 2, without a decimal point, for a number of batches`,
    ],
    [
      'no limit of the training',
      ['trainer.max_epochs=-1'],
      `override 1: neither trainer.max_epochs nor trainer.max_steps limits the training
  set one of them`,
    ],
    [
      'an option that a group lacks',
      ['data=imbd'],
      `override 1: the group data has no option imbd
  did you mean imdb?
  available: chemprot, imdb, sst-2, thucnews`,
    ],
    [
      'a required key that a group does not set',
      ['data=imdb'],
      `conf/data/imdb.yaml:10: nautil.data.source must be set
  add nautil.data.source=VALUE: A folder, a file, an archive (tar, zip, gz), the http(s) address of a file or an archive, or a data set on the Hugging Face hub (owner/name)`,
    ],
    [
      'a sequence length without room for a token',
      ['model.dataset.max_seq_length=2'],
      `override 1: model.dataset.max_seq_length is 2, which leaves no room for a token between [CLS] and [SEP]
  write 3 or more, or -1 for the maximum of the encoder`,
    ],
    [
      'an address that no machine has',
      ['trainer.num_nodes=2', "nautil.group.members=['gpu-0:2222','gpu-1:99999']"],
      `override 2: nautil.group.members contains gpu-1:99999, which is not host:port of a machine, with a port from 1 to 65535
  write a DNS name, an IPv4 address or an IPv6 address in brackets: gpu-0:2222, 10.0.0.1:2222, [fd00::1]:2222`,
    ],
    [
      'two mistakes',
      ['model.dataset.max_seq_length=long', 'trainer.max_epoch=3'],
      `2 problems in the configuration
override 2: trainer.max_epoch is not a known key
  did you mean max_epochs (now 100)?
  \`npx nautil config explain trainer\` lists the keys
override 1: model.dataset.max_seq_length is long; it must be a whole number, -1 to 65535
  \`npx nautil config explain model.dataset.max_seq_length\` describes it`,
    ],
  ])('%s', async (_, overrides, message) => {
    expect(await rejection({ overrides })).toBe(message);
  });

  test.each([
    ['microsoft/deberta-v3-base', 'deberta-v3-base'],
    ['answerdotai/ModernBERT-base', 'modernbert-base'],
    ['roberta_base', 'roberta-base'],
  ])('the model %s in place of a preset: the nearest preset, and the key of any other model', async (name, preset) => {
    const lines = (await rejection({ overrides: [`model=${name}`] })).split('\n');
    expect(lines.slice(0, 3)).toEqual([
      `override 1: the group model has no option ${name}`,
      `  did you mean ${preset}?`,
      `  any other model is model.language_model.pretrained_model_name=${name}`,
    ]);
  });

  test('a wrong key in a file is reported with its line', async () => {
    const options = await fromFile('trainer:\n  max_epochs: 1\nmodel:\n  train_ds:\n    batch_sise: 3\n');
    expect(await rejection(options)).toBe(`own.yaml:5: model.train_ds.batch_sise is not a known key
  did you mean batch_size?
  \`npx nautil config explain model.train_ds\` lists the keys`);
  });

  test('a wrong value in a file is reported with its line', async () => {
    const options = await fromFile('trainer:\n  max_epochs: 1\n  log_every_n_steps: often\n');
    expect(await rejection(options))
      .toBe(`own.yaml:3: trainer.log_every_n_steps is often; it must be a whole number, 0 or more; or null
  \`npx nautil config explain trainer.log_every_n_steps\` describes it`);
  });

  test('a value for a section is rejected', async () => {
    expect(await rejection(await fromFile('model: 5\n')))
      .toBe(`own.yaml:1: model is 5; it must be a section with keys of its own
  \`npx nautil config explain model\` describes it`);
  });

  test('invalid YAML is reported with its line', async () => {
    expect(await rejection(await fromFile('trainer:\n  max_epochs: [1\nmodel:\n'))).toMatch(
      /^own\.yaml:\d: not valid YAML: .+\n {2}check for tabs in the indentation, and for unclosed quotes and brackets$/,
    );
  });

  test('a duplicate key is reported with its line', async () => {
    expect(await rejection(await fromFile('trainer:\n  max_epochs: 1\n  max_epochs: 2\n'))).toMatch(
      /^own\.yaml:3: not valid YAML: .+\n {2}keep one of them$/,
    );
  });

  test('a missing file is reported with the available ones', async () => {
    expect(await rejection({ configName: 'sst3' })).toBe(`there is no configuration sst3.yaml in conf
  did you mean sst2?
  available: sst2, text_classification_config`);
  });

  test('an interpolation that refers to a missing key is rejected', async () => {
    expect(await rejection({ overrides: ['model.nemo_path=${model.languag_model.config}'] })).toMatch(
      /^override 1: \$\{model\.languag_model\.config\} refers to model\.languag_model\.config, which does not exist/,
    );
  });
});

test.each([
  ['name: !foo x', '!foo'],
  ['name: !!python/object:os.system x', '!!python/object:os.system'],
  ['name: !!binary aGk=', '!!binary'],
  ['!foo name: x', '!foo'],
  ['name: !foo', '!foo'],
  ['model: !foo {}', '!foo'],
  ['model: {dataset: {num_classes: !foo 3}}', '!foo'],
  ['trainer: {devices: [!!set {}]}', '!!set'],
])('a tag that is not one of a plain value is rejected by name, with its line: %s', async (line, tag) => {
  expect(await rejection(await fromFile(`# comment\n${line}\n`))).toMatch(
    `own.yaml:2: the tag ${tag} is not supported\n  write the value without a tag`,
  );
});

test.each(['!!int x', '!!int 1.5', '!!bool 3', '!!null x', '!!float true'])(
  'a value that its tag does not fit is rejected with its line: %s',
  async (written) => {
    expect(await rejection(await fromFile(`# comment\nname: ${written}\n`))).toMatch(
      /^own\.yaml:2: ".+" is not a value of the tag !!\w+$/,
    );
  },
);

describe('a key without effect', () => {
  test('is accepted, with a note that gives the reason', async () => {
    const { notes } = await load('trainer.benchmark=true', 'model.train_ds.pin_memory=true');
    expect(notes).toEqual([
      'override 1: trainer.benchmark has no effect: Nautil does not use Lightning',
      'override 2: model.train_ds.pin_memory has no effect: batches are small compared with the model; TensorFlow copies them itself',
    ]);
  });

  test('has no note when the user did not change it', async () => {
    expect((await load()).notes).toEqual([]);
    expect((await load('trainer.benchmark=null', 'model.train_ds.pin_memory=false')).notes).toEqual([]);
  });
});

test('warm-up steps of an override take precedence over the ratio of a file', async () => {
  const { config, notes } = await load('model.optim.sched.warmup_steps=10');
  expect(config.model.optim.sched).toMatchObject({ warmup_steps: 10 });
  expect(config.model.optim.sched).not.toHaveProperty('warmup_ratio');
  expect(notes).toEqual(['override 1: model.optim.sched.warmup_steps is set, so warmup_ratio is ignored']);
});

test('warm-up steps and ratio in the same source are rejected, as in NeMo', async () => {
  const overrides = ['model.optim.sched.warmup_steps=10', 'model.optim.sched.warmup_ratio=0.1'];
  expect(await rejection({ overrides })).toMatch(/warmup_steps and warmup_ratio are both set/);
});

test('the number of classes need not be set', async () => {
  expect((await load()).config.model.dataset.num_classes).toBeNull();
});

test('a file may define variables for interpolations at its top level', async () => {
  const options = await fromFile(
    'encoder: roberta-base\nmodel:\n  language_model:\n    pretrained_model_name: ${encoder}\n',
  );
  const { config, notes, tree } = await loadConfig(options);
  expect(config.model.language_model.pretrained_model_name).toBe('roberta-base');
  expect(notes).toEqual(['own.yaml:1: encoder is not a known key; it can only be used as ${encoder}']);
  expect(tree).not.toHaveProperty('encoder');
});

test('each value has the source in which it was written', async () => {
  const { writtenAt } = await loadConfig({ configName: 'sst2', overrides: ['trainer.max_steps=7'] });
  expect(writtenAt('trainer.max_steps')).toBe('override 1: trainer.max_steps=7');
  expect(writtenAt('trainer.accelerator')).toMatch(/^conf\/trainer\/cpu\.yaml:\d+$/);
  expect(writtenAt('trainer.max_epochs')).toMatch(/^conf\/sst2\.yaml:\d+$/);
  expect(writtenAt('model.optim.rho')).toBeUndefined();
});

test("a configuration in the user's folder can use the shipped groups", async () => {
  const options = await fromFile('defaults:\n  - trainer: cpu\n  - _self_\ntrainer:\n  max_epochs: 3\n', [
    '+optim=sgd',
  ]);
  const { config } = await loadConfig(options);
  expect(config.trainer).toMatchObject({ accelerator: 'cpu', max_epochs: 3 });
  expect(config.model.optim.name).toBe('sgd');
});

test.each([
  ['model.dataset.num_classes', '99999999999999999999'],
  ['model.dataset.num_classes', '-99999999999999999999'],
  ['nautil.seed', '9007199254740993'],
  ['model.train_ds.batch_size', '100_000_000_000_000_000_001'],
  ['model.optim.lr', '1e999'],
  ['model.language_model.config', '{hidden_size: 99999999999999999999}'],
])('a number that would be rounded is rejected as the user wrote it: %s=%s', async (key, text) => {
  const written = text.replace(/^.*: |}$/g, '');
  await expect(loadConfig({ overrides: [`${key}=${text}`] })).rejects.toThrow(
    new RegExp(`${key}[\\w.]* is ${written}; `),
  );
});

test('a file’s number that would be rounded is rejected as it is written', async () => {
  await writeFile(
    join(folder, 'mine.yaml'),
    'nautil:\n  seed: 0x20000000000001\nmodel:\n  optim:\n    lr: 1e999\n  dataset:\n    num_classes: 99999999999999999999\n',
  );
  const failure = loadConfig({ configPath: folder, configName: 'mine', cwd: folder });
  await expect(failure).rejects.toMatchObject({
    problems: [
      { key: 'nautil.seed', message: expect.stringMatching(/^nautil.seed is 0x20000000000001; /) },
      { key: 'model.optim.lr', message: expect.stringMatching(/^model.optim.lr is 1e999; /) },
      {
        key: 'model.dataset.num_classes',
        message: expect.stringMatching(/^model.dataset.num_classes is 99999999999999999999; /),
      },
    ],
  });
});
