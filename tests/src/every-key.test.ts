import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ConfigError, explainSections, type KeyExplanation, loadConfig } from '@nautil/config';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { facets, type Observation, observeRun } from './testing/observe-run.js';
import { programEnvironment } from './testing/program-environment.js';

// Takes every key of the schema, gives it a value that is not its default, and looks what happens: the key is rejected by
// name, or the run's output states that the key has no effect, or a measurement of a real run of a tiny encoder changes. While
// what the key needs is missing, it is rejected or the output states that it has no effect.

interface Row {
  /** The other value, as it is written in an override. */
  value: string;

  /** Overrides of both runs, for a key that needs a context. */
  given?: string[];

  /** Overrides of a run in the same folder before each of the two, which lacks the key. */
  before?: string[];

  /** The test that shows the effect, which tiny runs are too short for. */
  shownBy?: string;

  /** Overrides in place of `given`, when the key lacks what it needs. */
  lacking?: string[];

  /** Why the results differ although the key affects none of them. */
  because?: string;

  /** What happens to the folder after that run. */
  prepare?: (cwd: string) => void;
}

/** Makes the folder one of NeMo's, which ends a run with end.ckpt and keeps no state of its own. */
function nameLastEnd(cwd: string): void {
  const folder = join(cwd, 'logs/checkpoints');
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith('last.ckpt')))
    renameSync(join(folder, name), join(folder, name.replace('last.ckpt', 'end.ckpt')));
  rmSync(join(folder, '.kept.json'));
}

const root = mkdtempSync(join(tmpdir(), 'nautil-keys-'));
const home = join(root, 'home');
const file = (name: string): string => join(root, name);
const trainers = new Trainers(programEnvironment(home));
const uncased = goldenPath('bert-tiny-uncased');
const roberta = goldenPath('roberta-tiny');

const base = [
  'trainer.accelerator=cpu',
  'trainer.max_epochs=2',
  `model.language_model.pretrained_model_name=${file('encoder')}`,
  `model.train_ds.file_path=${file('train.tsv')}`,
  `model.validation_ds.file_path=${file('dev.tsv')}`,
  `model.test_ds.file_path=${file('test.tsv')}`,
  'model.dataset.num_classes=null',
  'model.train_ds.batch_size=4',
  'model.validation_ds.batch_size=4',
  'model.test_ds.batch_size=4',
  'model.optim.lr=1e-3',
  'model.infer_samples=[a tired remake]',
  'nautil.batches.length_multiple=64', // one padded shape, which TensorFlow traces once
];

const sched = (name: string, ...more: string[]): string[] => [
  `model.optim.sched.name=${name}`,
  ...more.map((option) => `+model.optim.sched.${option}`),
];
const noWarmup = ['~model.optim.sched.warmup_ratio', '~model.optim.sched.warmup_steps'];
const optim = (name: string, ...more: string[]): string[] => [
  `model.optim.name=${name}`,
  '~model.optim.betas',
  ...more.map((option) => `+model.optim.${option}`),
];
const plateau = (...more: string[]): string[] => [
  ...noWarmup,
  ...sched('ReduceLROnPlateau', 'patience=0', 'factor=0.5', ...more),
  'trainer.max_epochs=4',
];
const cyclic = [
  ...noWarmup,
  ...sched('CyclicLR', 'base_lr=1e-4', 'max_lr=1e-3', 'step_size_up=3', 'cycle_momentum=false'),
];
const stopping = (...more: string[]): string[] => [
  'exp_manager.create_early_stopping_callback=true',
  'trainer.max_epochs=4',
  ...more.map((option) => `exp_manager.early_stopping_callback_params.${option}`),
];
const sst2 = [
  'nautil.data.format=sst-2',
  `nautil.data.source=${file('source')}`,
  ...['train', 'validation', 'test'].map((split) => `model.${split}_ds.file_path=null`),
];
const noFiles = ['train', 'validation', 'test'].map((split) => `model.${split}_ds.file_path=null`);
const tableSource = [`nautil.data.source=${file('tables/train.csv')}`, ...noFiles];
const inRoberta = [
  'model.dataset.max_seq_length=32',
  `model.language_model.pretrained_model_name=${roberta}`,
  'nautil.batches.length_multiple=8',
];
const brief = ['trainer.max_steps=1', 'trainer.limit_val_batches=1', 'trainer.limit_test_batches=1'];
const inLogs = ['exp_manager.explicit_log_dir=logs', 'exp_manager.resume_if_exists=true'];
const often = ['trainer.val_check_interval=2'];

/** The keys that take effect. Keys without effect, and keys with values that Nautil lacks, need no row. */
const rows: Readonly<Record<string, Row>> = {
  'trainer.devices': { value: '2' },
  'trainer.num_nodes': { value: '2', shownBy: 'tests/src/distributed.test.ts' },
  'trainer.num_sanity_val_steps': { value: '2' },
  'trainer.strategy': { value: 'ddp' },
  'trainer.max_epochs': { value: '1' },
  'trainer.max_steps': { value: '3' },
  'trainer.accumulate_grad_batches': { value: '2' },
  'trainer.gradient_clip_val': { value: '0.01' },
  'trainer.precision': { value: 'bf16-mixed' },
  'trainer.compile': { value: 'true' },
  'trainer.accelerator': { value: 'gpu' },
  'trainer.log_every_n_steps': { value: '3' },
  'trainer.val_check_interval': { value: '0.5' },
  'trainer.limit_train_batches': { value: '2' },
  'trainer.limit_val_batches': { value: '1' },
  'trainer.limit_test_batches': { value: '1' },

  'model.nemo_path': { value: 'other.nemo' },
  'model.tokenizer.tokenizer_name': { value: file('tokenizer') },
  'model.tokenizer.vocab_file': { value: file('vocab.txt') },
  'model.tokenizer.tokenizer_model': {
    value: goldenPath('tokenizers/deberta-v2/spm.model'),
    given: [
      `model.tokenizer.tokenizer_name=${goldenPath('tokenizers/albert')}`,
      'model.language_model.config={model_type: albert, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8, embedding_size: 8, vocab_size: 16000}',
    ],
  },
  'model.tokenizer.special_tokens': { value: '{cls_token: "[SEP]", sep_token: "[CLS]"}' },
  'model.language_model.pretrained_model_name': {
    value: uncased, // with all of its layers
    given: [`model.tokenizer.tokenizer_name=${uncased}`],
  },
  'model.language_model.lm_checkpoint': { value: join(uncased, '../bert-tiny-variants/bf16.safetensors') },
  'model.language_model.nemo_file': { value: join(uncased, '../bert-tiny-variants/bf16.safetensors') },
  'model.language_model.config_file': { value: join(uncased, 'config.json') },
  'model.language_model.config': {
    value:
      '{model_type: bert, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8, vocab_size: 2048, max_position_embeddings: 96, type_vocab_size: 2}',
  },
  'model.classifier_head.num_output_layers': { value: '1' },
  'model.classifier_head.fc_dropout': { value: '0.5' },
  'model.class_labels.class_labels_file': { value: file('labels.txt') },
  'model.dataset.num_classes': { value: '4' },
  'model.dataset.do_lower_case': { value: 'true', given: sst2 },
  'model.dataset.max_seq_length': { value: '6' },
  'model.dataset.class_balancing': { value: 'weighted_loss' },
  'model.dataset.use_cache': { value: 'true' },
  ...Object.fromEntries(
    (['train', 'validation', 'test'] as const).flatMap((split): [string, Row][] => [
      [`model.${split}_ds.file_path`, { value: file('other.tsv') }],
      [`model.${split}_ds.batch_size`, { value: '5' }],
      [
        `model.${split}_ds.shuffle`,
        {
          value: split === 'train' ? 'false' : 'true',
          given: split === 'train' ? [] : [`trainer.limit_${split === 'test' ? 'test' : 'val'}_batches=1`],
        },
      ],
      [`model.${split}_ds.num_samples`, { value: '8' }],
      [`model.${split}_ds.drop_last`, { value: 'true', given: [`model.${split}_ds.num_samples=10`] }],
      [
        `model.${split}_ds.num_workers`,
        {
          value: '2',
          given: [`model.${split}_ds.file_path=${file('long.tsv')}`, `model.${split}_ds.num_workers=0`, ...brief],
        },
      ],
    ]),
  ),

  'model.optim.name': { value: 'adamw' },
  'model.optim.lr': { value: '2e-3' },
  'model.optim.betas': { value: '[0.5, 0.9]' },
  'model.optim.eps': { value: '1e-2' },
  'model.optim.weight_decay': { value: '0.5' },
  'model.optim.momentum': { value: '0.9', given: optim('sgd') },
  'model.optim.dampening': { value: '0.5', given: optim('sgd', 'momentum=0.9') },
  'model.optim.nesterov': { value: 'true', given: optim('sgd', 'momentum=0.9') },
  'model.optim.rho': { value: '0.5', given: optim('adadelta') },
  'model.optim.lr_decay': { value: '0.5', given: optim('adagrad') },
  'model.optim.initial_accumulator_value': { value: '0.5', given: optim('adagrad') },
  'model.optim.alpha': { value: '0.5', given: optim('rmsprop') },
  'model.optim.centered': { value: 'true', given: optim('rmsprop') },

  // Keys of optimizers that Nautil lacks.
  ...Object.fromEntries(
    [
      'etas',
      'step_sizes',
      'grad_averaging',
      'luc',
      'luc_trust',
      'luc_eps',
      'clip_threshold',
      'decay_rate',
      'beta1',
      'scale_parameter',
      'relative_step',
      'warmup_init',
      'min_step',
    ].map((name): [string, Row] => [`model.optim.${name}`, { value: '1' }]),
  ),

  'model.optim.sched.name': { value: 'CosineAnnealing' },
  'model.optim.sched.warmup_steps': { value: '3' },
  'model.optim.sched.warmup_ratio': { value: '0.5' },
  'model.optim.sched.min_lr': { value: '5e-4' },
  'model.optim.sched.monitor': { value: 'val_f1', given: plateau('mode=min'), lacking: [] },
  'model.optim.sched.hold_steps': { value: '2', given: sched('PolynomialHoldDecayAnnealing') },
  'model.optim.sched.hold_ratio': { value: '0.3', given: sched('PolynomialHoldDecayAnnealing') },
  'model.optim.sched.constant_steps': { value: '2', given: sched('CosineAnnealing') },
  'model.optim.sched.constant_ratio': { value: '0.3', given: sched('CosineAnnealing') },
  'model.optim.sched.power': { value: '2.0', given: sched('PolynomialDecayAnnealing') },
  'model.optim.sched.max_steps': { value: '4' },
  'model.optim.sched.eps': { value: '1.0', given: plateau('mode=max') },
  'model.optim.sched.d_model': { value: '64', given: sched('NoamAnnealing', 'd_model=16') },
  'model.optim.sched.decay_rate': { value: '0.9', given: sched('NoamHoldAnnealing') },
  'model.optim.sched.step_size': { value: '3', given: [...noWarmup, ...sched('StepLR', 'step_size=2')] },
  'model.optim.sched.gamma': { value: '0.5', given: [...noWarmup, ...sched('StepLR', 'step_size=2')] },
  'model.optim.sched.mode': { value: 'max', given: plateau('mode=min') },
  'model.optim.sched.factor': { value: '0.25', given: plateau('mode=max') },
  'model.optim.sched.patience': { value: '1', given: plateau('mode=max') },
  'model.optim.sched.threshold': { value: '10.0', given: plateau('mode=min', 'threshold_mode=abs') },
  'model.optim.sched.threshold_mode': { value: 'abs', shownBy: 'libs/training/src/schedule.golden.test.ts' },
  'model.optim.sched.cooldown': { value: '2', given: plateau('mode=max') },
  'model.optim.sched.base_lr': { value: '2e-4', given: cyclic },
  'model.optim.sched.max_lr': { value: '2e-3', given: cyclic },
  'model.optim.sched.step_size_up': { value: '2', given: cyclic },
  'model.optim.sched.step_size_down': { value: '1', given: cyclic },

  'model.infer_samples': { value: '[another text]' },
  'model.target': { value: 'my.TextClassificationModel' },
  'model.nemo_version': { value: "'1.8.2'" },
  'model.tokenizer_vocab_dict': { value: '/nowhere' },

  'exp_manager.exp_dir': { value: 'elsewhere' },
  'exp_manager.explicit_log_dir': { value: 'logs' },
  'exp_manager.name': { value: 'Reviews' },
  'exp_manager.version': { value: 'first' },
  'exp_manager.use_datetime_version': { value: 'false' },
  'exp_manager.resume_if_exists': {
    value: 'true',
    given: ['exp_manager.explicit_log_dir=logs', 'exp_manager.resume_past_end=true'],
    because: 'the earlier training had fewer epochs, and therefore another schedule',
    before: [
      'trainer.max_epochs=1',
      'exp_manager.resume_if_exists=true', // keeps its last checkpoint whole
      'exp_manager.resume_ignore_no_checkpoint=true',
    ],
  },
  'exp_manager.resume_past_end': {
    value: 'true',
    given: [...inLogs, 'exp_manager.resume_ignore_no_checkpoint=true'],
    before: ['trainer.max_epochs=1'],
    prepare: nameLastEnd,
  },
  'exp_manager.resume_ignore_no_checkpoint': {
    value: 'true',
    given: ['exp_manager.explicit_log_dir=logs', 'exp_manager.resume_if_exists=true'],
  },
  'exp_manager.create_tensorboard_logger': { value: 'false' },
  'exp_manager.create_checkpoint_callback': { value: 'false' },
  'exp_manager.checkpoint_callback_params.monitor': { value: 'val_f1' },
  'exp_manager.checkpoint_callback_params.mode': { value: 'max', given: often },
  'exp_manager.checkpoint_callback_params.save_top_k': { value: '1', given: often },
  'exp_manager.checkpoint_callback_params.save_last': { value: 'false' },
  'exp_manager.checkpoint_callback_params.every_n_epochs': { value: '2' },
  'exp_manager.checkpoint_callback_params.save_best_model': { value: 'true' },
  'exp_manager.checkpoint_callback_params.save_nemo_on_train_end': { value: 'false' },
  'exp_manager.checkpoint_callback_params.postfix': { value: '-v2.nemo' },
  'exp_manager.create_early_stopping_callback': {
    value: 'true',
    given: [
      'exp_manager.early_stopping_callback_params.patience=1',
      'exp_manager.early_stopping_callback_params.min_delta=10',
      'trainer.max_epochs=4',
    ],
  },
  'exp_manager.early_stopping_callback_params.monitor': { value: 'val_f1', given: stopping('patience=1') },
  'exp_manager.early_stopping_callback_params.mode': { value: 'max', given: stopping('patience=1') },
  'exp_manager.early_stopping_callback_params.min_delta': { value: '10', given: stopping('patience=1') },
  'exp_manager.early_stopping_callback_params.patience': { value: '1', given: stopping('patience=2', 'min_delta=10') },
  'exp_manager.mlflow_logger_kwargs.experiment_name': { value: 'reviews' },
  'exp_manager.mlflow_logger_kwargs.tracking_uri': { value: 'http://127.0.0.1:9' },

  'nautil.seed': { value: '7' },
  'nautil.checkpoint_every_n_steps': { value: '2' },
  'nautil.data.format': {
    value: 'sst-2',
    given: sst2.slice(1),
  },
  'nautil.data.subset': {
    value: 'other',
    given: [`nautil.data.source=${file('tables')}`, ...noFiles],
  },
  'nautil.data.text_column': { value: 'title', given: tableSource },
  'nautil.data.text_pair_column': { value: 'title', given: tableSource },
  'nautil.data.label_column': { value: 'stars', given: tableSource },
  'nautil.data.validation_fraction': { value: '0.5', given: tableSource },
  'nautil.data.sample': { value: 'first', given: [...tableSource, 'model.train_ds.num_samples=8'] },
  'nautil.data.source': { value: file('source'), given: ['model.test_ds.file_path=null'] },
  'nautil.data.sha256': {
    value: '0'.repeat(64),
    given: [`nautil.data.source=${file('train.tsv')}`, 'model.train_ds.file_path=null'],
  },
  'nautil.data.relabel': { value: 'true' },
  'nautil.tokenization.mode': { value: 'nemo', given: inRoberta },
  'nautil.batches.bucket_by_length': {
    value: 'false',
    given: ['nautil.batches.length_multiple=8', 'model.train_ds.batch_size=2', 'trainer.max_epochs=1'],
  },
  'nautil.batches.length_multiple': { value: '8' },
  'nautil.batches.nemo_padding': { value: 'true', given: inRoberta },
  ...Object.fromEntries(
    ['members', 'join_timeout_s', 'step_timeout_s'].map((name): [string, Row] => [
      `nautil.group.${name}`,
      {
        value: name === 'members' ? '[a:1, b:2]' : '5',
        given: ['trainer.num_nodes=2'],
        shownBy: 'apps/cli/src/trainer/group-from-environment.test.ts',
      },
    ]),
  ),
  'nautil.mlflow.tracking_uri': { value: 'http://127.0.0.1:9' },
  'nautil.mlflow.experiment': { value: 'reviews' },
  'nautil.archive.loss_weight': { value: 'true', given: ['model.dataset.class_balancing=weighted_loss'] },
  'nautil.mlflow.registered_model_name': { value: 'reviews' },
  'nautil.tf32': { value: 'false' },
  'trainer.deterministic': { value: 'false' },
  'nautil.loss_scale': { value: '1024' },
  'nautil.intra_op_threads': { value: '3' },
  'nautil.onednn': { value: 'false' },
};

beforeAll(async () => {
  process.env['NAUTIL_HOME'] = home;
  const recorded = readFileSync(goldenPath('nemo/traj_train.tsv'), 'utf8').trim().split('\n');
  const lines = recorded.map((line, i) => line.replace(/\t\d+$/, `\t${i % 4 ? 1 : 0}`)); // two classes, of unequal size
  const write = (name: string, some: string[]): void => writeFileSync(file(name), `${some.join('\n')}\n`);
  write(
    'train.tsv',
    lines.slice(0, 16).map((line, i) => (i % 2 ? line : line.toUpperCase())),
  );
  write('dev.tsv', lines.slice(0, 12)); // of the training set, so that val_loss falls from epoch to epoch, whatever the reference set
  write('test.tsv', lines.slice(40, 52));
  write('other.tsv', lines.slice(60, 72));
  write('long.tsv', Array<string>(9000).fill('a good film\t1').fill('bad\t0', 4000));
  write('labels.txt', ['bad', 'plain', 'good']);
  for (const [folder, text] of [
    ['tables/train', 'text,title,label,stars'],
    ['tables/other/train', 'text,title,label,stars'],
  ] as const) {
    mkdirSync(dirname(file(folder)), { recursive: true });
    const some = folder.includes('other') ? lines.slice(16, 32) : lines.slice(0, 16);
    write(`${folder}.csv`, [
      text,
      ...some.map((line, i) =>
        line.replace(/^(.*)\t(\d)$/, `"$1",a ${i % 4 < 2 ? 'fine' : 'bad'} film ${i},$2,${i % 3}`),
      ),
    ]);
  }
  mkdirSync(file('source'));
  write('source/train.tsv', ['sentence\tlabel', 'A Good Film\t1', 'a bad film\t0', 'good\t1', 'bad\t0']);
  write('source/dev.tsv', ['sentence\tlabel', 'a good film\t1', 'a bad film\t0']);
  write('source/test.tsv', ['a good film\t1', 'a bad film\t0']);
  const vocabulary = readFileSync(join(uncased, 'vocab.txt'), 'utf8').trim().split('\n');
  const reversed = [...vocabulary.slice(0, 100), ...vocabulary.slice(100).reverse()];
  write('vocab.txt', reversed);
  mkdirSync(file('tokenizer'));
  write('tokenizer/vocab.txt', reversed);
  // One layer of the golden encoder: TensorFlow traces it faster.
  await cp(uncased, file('encoder'), { recursive: true });
  const config = JSON.parse(readFileSync(file('encoder/config.json'), 'utf8')) as object;
  writeFileSync(file('encoder/config.json'), JSON.stringify({ ...config, num_hidden_layers: 1 }));
  await cp(file('encoder'), file('undecided'), { recursive: true });
  rmSync(file('undecided/tokenizer.json'));
  rmSync(file('undecided/tokenizer_config.json'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

let count = 0;
const known = new Map<string, Promise<Observation>>();

/** Observes a run in an empty folder, or after another run. Equal runs are observed once. */
function observed(overrides: readonly string[], common: readonly string[], row: Row): Promise<Observation> {
  const key = JSON.stringify([overrides, row.before ?? null]);
  let found = known.get(key);
  found ??= (async () => {
    const cwd = file(`run-${++count}`);
    mkdirSync(cwd);
    const observe = (some: readonly string[], runKey: string) => observeRun({ cwd, overrides: some, runKey, trainers });
    if (row.before) await observe([...common, ...row.before], `before-${count}`);
    row.prepare?.(cwd);
    return observe(overrides, `run-${count}`);
  })();
  known.set(key, found);
  return found;
}

type Outcome = { rejected: string; other?: string } | { note: string } | { changes: string[]; failures?: string[] };

/** What becomes of the key with another value. */
async function outcomeOf({ key }: KeyExplanation, row: Row): Promise<Outcome> {
  const common = [...base, ...(row.given ?? [])];
  const overrides = [...common, `++${key}=${row.value}`];
  let notes: string[];
  try {
    ({ notes } = await loadConfig({ overrides, cwd: root }));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [problem] = error.problems;
    return {
      rejected: error.message,
      ...(problem?.key === key ? {} : { other: `rejected without its name: ${error.message}` }),
    };
  }
  const note = notes.find(
    (text) => text.includes(`${key} has no effect`) || text.includes(`${key} is an old spelling`),
  );
  if (note !== undefined) return { note: note.replace(/^.*?: /, '') };
  const [usual, other] = [await observed(common, common, row), await observed(overrides, common, row)];
  if (usual.failure !== undefined && other.failure !== undefined)
    return { changes: [], failures: [usual.failure, other.failure] };
  const failure = usual.failure ?? other.failure;
  if (failure !== undefined) return { changes: [`failure (${failure})`] };
  const names = Object.values(facets).flat();
  return { changes: names.filter((name) => usual[name] !== other[name]) };
}

/** Overrides without which a schedule is rejected. */
const companions: Readonly<Record<string, string[]>> = {
  'model.optim.sched.name=CyclicLR': cyclic,
  'model.optim.sched.name=ReduceLROnPlateau': noWarmup,
};

type Need = NonNullable<KeyExplanation['needed']>[number];

/** Overrides that leave a need unmet. */
function withoutNeed(need: Need): string[] {
  return need.flatMap((requirement) => {
    const value = 'is' in requirement ? valueBesides(requirement.is) : requirement.isNot[0];
    const override = `${requirement.key}=${String(value)}`;
    return [...(companions[override] ?? []), `++${override}`];
  });
}

function valueBesides([value, ...others]: readonly unknown[]): string | number | boolean | null {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return 5;
  if (value === null && others.length === 0) return 'other';
  return value === 'ReduceLROnPlateau' ? 'WarmupAnnealing' : value === '16-mixed' ? 32 : null;
}

/** What a run says about the key while a need of it is unmet. */
async function messagesWithout(need: Need, { key }: KeyExplanation, row: Row): Promise<string[]> {
  const overrides = [...base, ...(row.lacking ?? row.given ?? []), ...withoutNeed(need), `++${key}=${row.value}`];
  try {
    return (await loadConfig({ overrides, cwd: root })).notes;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ message }) => message);
  }
}

const keys = explainSections().flatMap((section) => section.keys);

/** Restricts the test while a row is being written. */
const only = new RegExp(process.env['KEYS'] ?? '');

/** The changes that contradict what the schema states about the key. */
function contradictions({ affects }: KeyExplanation, changes: readonly string[]): string[] {
  const trained: readonly string[] = ['learning rates', 'losses', 'validations', 'weights'];
  const reported: readonly string[] = facets.evaluation;
  const excluded: Record<KeyExplanation['affects'], readonly string[]> = {
    inputs: [],
    training: [],
    evaluation: trained,
    package: [...trained, ...reported],
    nothing: [...trained, ...reported, ...facets.package],
  };
  return changes.filter((name) => excluded[affects].includes(name));
}

test('every key changes something measurable, or is reported to have no effect, or is rejected by name', async () => {
  const table: string[] = [];
  const wrong: string[] = [];
  for (const explained of keys.filter(({ key }) => only.test(key))) {
    const { key, noEffect, instead, affects } = explained;
    const row = rows[key] ?? (noEffect !== undefined || instead !== undefined ? { value: 'something' } : undefined);
    if (row === undefined) {
      wrong.push(`${key} has no row`);
      continue;
    }
    if (row.shownBy !== undefined) {
      table.push(`${key}=${row.value} -> in ${row.shownBy}`);
      continue;
    }
    const outcome = await outcomeOf(explained, row);
    // An archive records every key, so that its bytes always change.
    const changes = 'changes' in outcome ? outcome.changes.filter((name) => name !== 'archive') : [];
    const counted = affects === 'package' ? changes : changes.filter((name) => name !== 'recorded configuration');
    const text =
      'note' in outcome
        ? `note: ${outcome.note}`
        : 'rejected' in outcome
          ? `rejected: ${outcome.rejected}`
          : counted.join(', ');
    const { needs, needsFound, needed = [] } = explained;
    const conditions = [needs, needsFound].filter((condition) => condition !== undefined);
    table.push([`${key}=${row.value} -> ${text}`, ...conditions].join('; needs '));
    for (const need of needed) {
      const messages = await messagesWithout(need, explained, row);
      if (!messages.some((message) => message.includes(`${key} has no effect: it needs `)))
        wrong.push(
          `${key} is accepted without a note although it lacks ${JSON.stringify(need)}: ${messages.join('; ')}`,
        );
    }
    if ('rejected' in outcome && outcome.other !== undefined) wrong.push(`${key}: ${outcome.other}`);
    if ('changes' in outcome && counted.length === 0)
      wrong.push(`${key} changes nothing: ${outcome.failures?.join('; ') ?? ''}`);
    for (const name of row.because === undefined ? contradictions(explained, changes) : [])
      wrong.push(`${key} changes the ${name}, but affects: ${affects}`);
  }
  process.stdout.write(`${table.join('\n')}\n`);
  expect(wrong).toEqual([]);
}, 1_200_000);
