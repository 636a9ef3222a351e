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

/** What a terminal shows of a configuration that is refused. */
async function refusal(options: LoadOptions): Promise<string> {
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

describe('the likeliest mistakes, word for word', () => {
  test.each<[string, string[], string]>([
    [
      'an unknown key',
      ['model.train_ds.batch_sise=3'],
      `override 1: model.train_ds.batch_sise is not a known key
  did you mean batch_size (now 64)?
  \`nautil config explain model.train_ds\` lists the keys`,
    ],
    [
      'a key in the wrong section',
      ['trainer.lr=3'],
      `override 1: trainer.lr is not a known key
  did you mean model.optim.lr?
  \`nautil config explain trainer\` lists the keys`,
    ],
    [
      'a key that is added',
      ['+model.train_ds.foo=1'],
      `override 1: model.train_ds.foo is not a known key
  \`nautil config explain model.train_ds\` lists the keys`,
    ],
    [
      'a word for a number',
      ['trainer.max_epochs=three'],
      `override 1: trainer.max_epochs is three; it can be a whole number, -1 or more; or null
  \`nautil config explain trainer.max_epochs\` says what it does`,
    ],
    [
      'a negative batch size',
      ['model.train_ds.batch_size=-1'],
      `override 1: model.train_ds.batch_size is -1; it can be a whole number, 1 or more
  \`nautil config explain model.train_ds.batch_size\` says what it does`,
    ],
    [
      'no device',
      ['trainer.devices=0'],
      `override 1: trainer.devices is 0, and nothing trains on no device
  to train on the processor: trainer.accelerator=cpu trainer.devices=1`,
    ],
    [
      'a device twice',
      ['trainer.devices=[0,0]'],
      `override 1: trainer.devices is [0,0]; it can be a whole number, -1 or more; a list of different whole numbers, 0 or more; or auto
  \`nautil config explain trainer.devices\` says what it does`,
    ],
    [
      'a mistyped optimizer',
      ['model.optim.name=admw'],
      `override 1: model.optim.name is admw; it can be adam, adamw, sgd, adadelta, adamax, adagrad or rmsprop
  did you mean adamw?
  \`nautil config explain model.optim.name\` says what it does`,
    ],
    [
      'an optimizer of NeMo’s that is not here',
      ['~model.optim.betas', 'model.optim.name=novograd'],
      `override 2: model.optim.name is novograd; it can be adam, adamw, sgd, adadelta, adamax, adagrad or rmsprop
  Nautil lacks rprop, novograd and adafactor of NeMo's optimizers: use adamw
  \`nautil config explain model.optim.name\` says what it does`,
    ],
    [
      'a key of another optimizer',
      ['model.optim.momentum=0.9'],
      `override 1: model.optim.momentum is not for adam
  adam takes lr, betas, eps, weight_decay, amsgrad, sched
  ~model.optim.momentum leaves it out`,
    ],
    [
      'a schedule without what it needs',
      ['model.optim.sched.name=StepLR'],
      `override 1: StepLR needs model.optim.sched.step_size`,
    ],
    [
      'a precision that is not there',
      ['trainer.precision=64'],
      `override 1: trainer.precision is 64; it can be 32, '32', '32-true', bf16 or bf16-mixed
  write bf16-mixed for 16-bit training, or 32
  \`nautil config explain trainer.precision\` says what it does`,
    ],
    [
      'a logger that is not there',
      ['exp_manager.create_wandb_logger=true'],
      `override 1: exp_manager.create_wandb_logger is true; it can be false or null
  Nautil tracks runs in MLflow: nautil.mlflow.tracking_uri
  \`nautil config explain exp_manager.create_wandb_logger\` says what it does`,
    ],
    [
      'a fraction above one',
      ['trainer.limit_train_batches=2.0'],
      `override 1: trainer.limit_train_batches is 2, more than all of it: written with a dot it is a fraction
  write it without a dot to mean a number of batches: 2`,
    ],
    [
      'no end',
      ['trainer.max_epochs=-1'],
      `override 1: trainer.max_epochs and trainer.max_steps both leave training without an end
  give one of them`,
    ],
    [
      'an option that a group lacks',
      ['data=imbd'],
      `override 1: the group data has no option imbd
  did you mean imdb?
  there are: chemprot, imdb, sst-2, thucnews`,
    ],
    [
      'what a group leaves open',
      ['data=imdb'],
      `conf/data/imdb.yaml:10: nautil.data.source must be given
  add nautil.data.source=VALUE: A folder, a file, an archive (tar, zip, gz), the http(s) address of a file or an archive, or a data set on the Hugging Face hub (owner/name)`,
    ],
    [
      'no room for a token',
      ['model.dataset.max_seq_length=2'],
      `override 1: model.dataset.max_seq_length is 2, which leaves no room for a token between [CLS] and [SEP]
  write 3 or more, or -1 for as long as the encoder takes`,
    ],
    [
      'two at once',
      ['model.dataset.max_seq_length=long', 'trainer.max_epoch=3'],
      `2 problems in the configuration
override 2: trainer.max_epoch is not a known key
  did you mean max_epochs (now 100)?
  \`nautil config explain trainer\` lists the keys
override 1: model.dataset.max_seq_length is long; it can be a whole number, -1 to 65535
  \`nautil config explain model.dataset.max_seq_length\` says what it does`,
    ],
  ])('%s', async (_, overrides, said) => {
    expect(await refusal({ overrides })).toBe(said);
  });

  test('a key in a file is told by its line', async () => {
    const options = await fromFile('trainer:\n  max_epochs: 1\nmodel:\n  train_ds:\n    batch_sise: 3\n');
    expect(await refusal(options)).toBe(`own.yaml:5: model.train_ds.batch_sise is not a known key
  did you mean batch_size?
  \`nautil config explain model.train_ds\` lists the keys`);
  });

  test('a value in a file is told by its line', async () => {
    const options = await fromFile('trainer:\n  max_epochs: 1\n  log_every_n_steps: often\n');
    expect(await refusal(options))
      .toBe(`own.yaml:3: trainer.log_every_n_steps is often; it can be a whole number, 0 or more; or null
  \`nautil config explain trainer.log_every_n_steps\` says what it does`);
  });

  test('a value for a section', async () => {
    expect(await refusal(await fromFile('model: 5\n')))
      .toBe(`own.yaml:1: model is 5; it can be a section with keys of its own
  \`nautil config explain model\` says what it does`);
  });

  test('broken YAML is told by its line', async () => {
    expect(await refusal(await fromFile('trainer:\n  max_epochs: [1\nmodel:\n'))).toMatch(
      /^own\.yaml:\d: not valid YAML: .+\n {2}a tab for indentation, or an unclosed quote or bracket\?$/,
    );
  });

  test('a key twice is told by its line', async () => {
    expect(await refusal(await fromFile('trainer:\n  max_epochs: 1\n  max_epochs: 2\n'))).toMatch(
      /^own\.yaml:3: not valid YAML: .+\n {2}keep one of them$/,
    );
  });

  test('a file that is not there', async () => {
    expect(await refusal({ configName: 'sst3' })).toBe(`there is no configuration sst3.yaml in conf
  did you mean sst2?
  there are: sst2, text_classification_config`);
  });

  test('an interpolation that refers to nothing', async () => {
    expect(await refusal({ overrides: ['model.nemo_path=${model.languag_model.config}'] })).toMatch(
      /^override 1: \$\{model\.languag_model\.config\} refers to model\.languag_model\.config, which is not there/,
    );
  });
});

describe('what changes nothing', () => {
  test('is accepted with a note that says why', async () => {
    const { notes } = await load('trainer.benchmark=true', 'model.train_ds.pin_memory=true');
    expect(notes).toEqual([
      'override 1: trainer.benchmark has no effect: Nautil does not use Lightning',
      'override 2: model.train_ds.pin_memory has no effect: batches are small compared with the model; TensorFlow copies them itself',
    ]);
  });

  test('is not spoken of when nobody chose it', async () => {
    expect((await load()).notes).toEqual([]);
    expect((await load('trainer.benchmark=null', 'model.train_ds.pin_memory=false')).notes).toEqual([]);
  });
});

test('steps of warm-up that are asked for go before the ratio of the file', async () => {
  const { config, notes } = await load('model.optim.sched.warmup_steps=10');
  expect(config.model.optim.sched).toMatchObject({ warmup_steps: 10 });
  expect(config.model.optim.sched).not.toHaveProperty('warmup_ratio');
  expect(notes).toEqual(['override 1: model.optim.sched.warmup_steps is given, so that warmup_ratio does not count']);
});

test('steps and ratio of warm-up in one breath are refused, as in NeMo', async () => {
  const overrides = ['model.optim.sched.warmup_steps=10', 'model.optim.sched.warmup_ratio=0.1'];
  expect(await refusal({ overrides })).toMatch(/warmup_steps and warmup_ratio are both given/);
});

test('the number of classes may be left open', async () => {
  expect((await load()).config.model.dataset.num_classes).toBeNull();
});

test('a variable at the top of a file is for interpolations', async () => {
  const options = await fromFile(
    'encoder: roberta-base\nmodel:\n  language_model:\n    pretrained_model_name: ${encoder}\n',
  );
  const { config, notes, tree } = await loadConfig(options);
  expect(config.model.language_model.pretrained_model_name).toBe('roberta-base');
  expect(notes).toEqual(['own.yaml:1: encoder is no key of the configuration; it is for ${encoder} only']);
  expect(tree).not.toHaveProperty('encoder');
});

test('each value knows where it was written', async () => {
  const { writtenAt } = await loadConfig({ configName: 'sst2', overrides: ['trainer.max_steps=7'] });
  expect(writtenAt('trainer.max_steps')).toBe('override 1: trainer.max_steps=7');
  expect(writtenAt('trainer.accelerator')).toMatch(/^conf\/trainer\/cpu\.yaml:\d+$/);
  expect(writtenAt('model.optim.lr')).toMatch(/^conf\/sst2\.yaml:\d+$/);
  expect(writtenAt('model.optim.rho')).toBeUndefined();
});

test("a folder of one's own still has the groups that come with Nautil", async () => {
  const options = await fromFile('defaults:\n  - trainer: cpu\n  - _self_\ntrainer:\n  max_epochs: 3\n', [
    '+optim=sgd',
  ]);
  const { config } = await loadConfig(options);
  expect(config.trainer).toMatchObject({ accelerator: 'cpu', max_epochs: 3 });
  expect(config.model.optim.name).toBe('sgd');
});
