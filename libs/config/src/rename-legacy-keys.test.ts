import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from './load-config.js';

const load = (...overrides: string[]) => loadConfig({ overrides });

test("the command line in NeMo's documentation has the same meaning as in NeMo", async () => {
  const { config, notes } = await load(
    'model.dataset.num_classes=2',
    'model.training_ds.file_path=train.tsv',
    'model.validation_ds.file_path=dev.tsv',
    'trainer.max_epochs=50',
    'trainer.gpus=[0,1]',
    'optim.name=adam',
    'optim.lr=0.0001',
    'model.nemo_path=out.nemo',
  );
  expect(config.model.train_ds.file_path).toBe('train.tsv');
  expect(config.trainer).toMatchObject({ devices: [0, 1], accelerator: 'gpu', max_epochs: 50 });
  expect(config.model.optim).toMatchObject({ name: 'adam', lr: 1e-4 });
  expect(notes).toEqual([
    'override 6: optim is read as model.optim',
    'override 2: model.training_ds is read as model.train_ds',
    'override 5: trainer.gpus=[0,1] is read as trainer.devices, with trainer.accelerator=gpu',
  ]);
});

test.each<[string, unknown, string]>([
  ['2', 2, 'gpu'],
  ['-1', -1, 'gpu'],
  ["'0,1'", '0,1', 'gpu'],
  ["'2'", '2', 'gpu'],
  ['0', 1, 'cpu'],
  ['null', 1, 'cpu'],
  ['[]', 1, 'cpu'],
])('trainer.gpus=%s selects devices and an accelerator', async (gpus, devices, accelerator) => {
  expect((await load(`trainer.gpus=${gpus}`)).config.trainer).toMatchObject({ devices, accelerator });
});

test.each(['bf16', 'bf16-mixed'])('trainer.precision=%s is bfloat16 on every device', async (spelling) => {
  for (const accelerator of ['cpu', 'gpu']) {
    const { config, notes } = await load(`trainer.precision=${spelling}`, `trainer.accelerator=${accelerator}`);
    expect(config.trainer.precision).toBe(spelling);
    expect(notes).toEqual([]);
  }
});

test.each(['16', "'16'", '16-mixed'])(
  'trainer.precision=%s stays as it is where a GPU may train, and is read as bf16-mixed where a processor does',
  async (spelling) => {
    for (const device of ['trainer.accelerator=gpu', 'trainer.accelerator=auto', 'trainer.gpus=2']) {
      const { config } = await load(`trainer.precision=${spelling}`, device);
      expect(String(config.trainer.precision)).toBe(spelling.replaceAll("'", ''));
    }
    for (const device of ['trainer.accelerator=cpu', 'trainer.gpus=0']) {
      const { config, notes } = await load(`trainer.precision=${spelling}`, device);
      expect(config.trainer.precision).toBe('bf16-mixed');
      expect(notes).toContainEqual(
        expect.stringMatching(
          /^override 1: trainer\.precision=\S+ is read as bf16-mixed: a processor does 16-bit training/,
        ),
      );
    }
  },
);

test.each(['32', "'32'", '32-true'])('trainer.precision=%s is float32', async (spelling) => {
  const { config, notes } = await load(`trainer.precision=${spelling}`);
  expect(String(config.trainer.precision)).toBe(spelling.replaceAll("'", ''));
  expect(notes).toEqual([]);
});

test.each(['bf16-true', '16-true', '64', '64-true'])('trainer.precision=%s is rejected', async (spelling) => {
  await expect(load(`trainer.precision=${spelling}`)).rejects.toThrow('trainer.precision is');
});

test.each<[string, string, unknown]>([
  ['trainer.checkpoint_callback=false', 'trainer.enable_checkpointing', false],
  ['trainer.accelerator=ddp', 'trainer.strategy', 'ddp'],
  ['trainer.distributed_backend=ddp', 'trainer.strategy', 'ddp'],
  ['exp_manager.root_dir=out', 'exp_manager.exp_dir', 'out'],
  ['model.language_model.nemo_file=megatron.nemo', 'model.language_model.lm_checkpoint', 'megatron.nemo'],
  ['model.head.num_output_layers=3', 'model.classifier_head.num_output_layers', 3],
  ['model.class_balancing=weighted_loss', 'model.dataset.class_balancing', 'weighted_loss'],
  ['model.optim.args.params.weight_decay=0.5', 'model.optim.weight_decay', 0.5],
  ['dataset.max_seq_length=99', 'model.dataset.max_seq_length', 99],
])('%s is read as %s', async (override, key, value) => {
  const { tree, notes } = await load(override);
  const found = key.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], tree);
  expect(found).toEqual(value);
  const renamed = notes.filter((note) => !note.includes('has no effect'));
  expect(renamed).toEqual([expect.stringContaining(key.split('.').slice(0, 2).join('.'))]);
});

test.each([
  [['trainer.gpus=2', 'trainer.devices=3'], 3],
  [['trainer.devices=3', 'trainer.gpus=2'], 2],
])('when a legacy key and its current key are both set, the later one applies: %s', async (overrides, devices) => {
  expect((await load(...overrides)).config.trainer.devices).toBe(devices);
});

describe("a NeMo user's own file", () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'nautil-nemo-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const loadFile = async (text: string, ...overrides: string[]) => {
    await writeFile(join(folder, 'mine.yaml'), text);
    return loadConfig({ configPath: folder, configName: 'mine', cwd: folder, overrides });
  };
  const dataset = (shuffle: boolean) => `
    file_path: null
    batch_size: 64
    shuffle: ${shuffle}
    num_samples: -1
    num_workers: \${model.dataset.num_workers}
    drop_last: \${model.dataset.drop_last}
    pin_memory: \${model.dataset.pin_memory}`;
  /** Every key in NeMo's files of 1.0 to 1.23, with each version's names. */
  const file = (trainer: string, languageModel = '') => `
trainer:
  num_nodes: 1
  max_epochs: 100
  accumulate_grad_batches: 1
  gradient_clip_val: 0.0
  precision: 32
  log_every_n_steps: 1
  val_check_interval: 1.0
  num_sanity_val_steps: 0
  logger: False
${trainer}
model:
  nemo_path: text_classification_model.nemo
  tokenizer:
      tokenizer_name: \${model.language_model.pretrained_model_name}
      vocab_file: null
      tokenizer_model: null
      special_tokens: null
  language_model:
    pretrained_model_name: bert-base-uncased
    lm_checkpoint: null
    config_file: null
    config: null
${languageModel}
  classifier_head:
    num_output_layers: 2
    fc_dropout: 0.1
    activation: relu
  class_labels:
    class_labels_file: null
  dataset:
    num_classes: ???
    do_lower_case: false
    max_seq_length: 256
    class_balancing: null
    use_cache: false
    num_workers: 3
    drop_last: false
    pin_memory: false
  train_ds:${dataset(true)}
  validation_ds:${dataset(false)}
  test_ds:${dataset(false)}
  optim:
    name: adam
    lr: 2e-5
    betas: [0.9, 0.999]
    weight_decay: 0.01
    sched:
      name: WarmupAnnealing
      warmup_steps: null
      warmup_ratio: 0.1
      last_epoch: -1
      monitor: val_loss
      reduce_on_plateau: false
  infer_samples: [
    'by the end of no such thing the audience , like beatrice , has a watchful affection for the monster .',
    'director rob marshall went out gunning to make a great one .',
    'uneasy mishmash of styles and genres .',
  ]
exp_manager:
  exp_dir: null
  name: "TextClassification"
  create_tensorboard_logger: True
  create_checkpoint_callback: True
hydra:
  run:
    dir: .
  job_logging:
    root:
      handlers: null
`;
  const versions = {
    '1.0': file(
      '  gpus: 1\n  max_steps: null\n  amp_level: O0\n  accelerator: ddp\n  resume_from_checkpoint: null\n  checkpoint_callback: False',
    ),
    '1.6': file(
      '  gpus: 1\n  max_steps: null\n  accelerator: ddp\n  resume_from_checkpoint: null\n  checkpoint_callback: False',
      '    nemo_file: null',
    ),
    '1.8': file(
      '  devices: 1\n  max_steps: null\n  accelerator: gpu\n  resume_from_checkpoint: null\n  enable_checkpointing: False',
    ),
    '1.23': file('  devices: 1\n  max_steps: -1\n  accelerator: gpu\n  enable_checkpointing: False'),
  };

  // The values that differ in these files. null and -1 steps both mean no limit. NeMo's files set do_lower_case, which NeMo never
  // reads; the shipped configuration leaves the casing to the tokenizer. They require a GPU, and
  // it does not; and all runs write one archive.
  test.each([
    ['1.0', { max_steps: null, strategy: 'ddp', amp_level: 'O0' }],
    ['1.6', { max_steps: null, strategy: 'ddp' }],
    ['1.8', { max_steps: null }],
    ['1.23', {}],
  ] as const)('of NeMo %s loads like the shipped configuration', async (version, written) => {
    const { config } = await loadFile(versions[version]);
    const shipped = (await load()).config;
    expect({ ...config, hydra: null }).toEqual({
      ...shipped,
      trainer: { ...shipped.trainer, accelerator: 'gpu', ...written },
      model: {
        ...shipped.model,
        nemo_path: 'text_classification_model.nemo',
        dataset: { ...shipped.model.dataset, do_lower_case: false },
      },
    });
  });

  test('accepts overrides of the same NeMo version', async () => {
    const { config } = await loadFile(versions['1.6'], 'trainer.gpus=[0,1]', 'model.train_ds.file_path=a.tsv');
    expect(config.trainer.devices).toEqual([0, 1]);
    expect(config.model.train_ds.file_path).toBe('a.tsv');
  });
});
