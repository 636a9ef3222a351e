import {
  type Static,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  type TUnsafe,
  Type,
} from '@sinclair/typebox';
import { type JsonObject, type JsonValue, listed } from '@nautil/contracts';
import { nemoMonitors } from './exp-manager.js';
import {
  type Affects,
  anything,
  ignored,
  key,
  type Need,
  needing,
  nullable,
  oneOf,
  onlyOff,
  optional,
  section,
} from './key.js';
import { tested, validated } from './needs.js';
import { type OptimizerName, optimizers, unsupportedOptimizers } from './optimizers.js';
import { type ScheduleName, schedules } from './schedules.js';

// NOTE: a .nemo file records the section `model` as the run has it. Keys of this section that change nothing else affect
// the package, therefore, unless packaging replaces their value.

const anyObject = Type.Unsafe<JsonObject>({ type: 'object' });
const unit = { minimum: 0, exclusiveMaximum: 1 } as const;
const pair = (limits: object) => Type.Tuple([Type.Number(limits), Type.Number(limits)]);
const namesOf = <K extends string>(table: Readonly<Record<K, unknown>>): K[] => Object.keys(table) as K[];

/** A data set. `affects`: what its examples are for. */
const dataset = (
  what: string,
  o: { shuffle: boolean; requirement: string; affects: Affects; file: Affects; needs?: readonly Need[] },
) =>
  section(`The ${what} data.`, {
    ...needing(o.needs?.slice(1) ?? [], {
      file_path: key(nullable(Type.String()), {
        description: `A TSV file in NeMo's format: text, a tab, and an integer label on each line. ${o.requirement}`,
        affects: o.file,
        default: null,
        path: 'input',
      }),
    }),
    ...needing(o.needs ?? [], {
      batch_size: key(Type.Integer({ minimum: 1 }), {
        description: 'Examples in a batch.',
        affects: o.affects,
        default: 64,
        versions: "NeMo's documentation says 32; its file says 64.",
      }),
      shuffle: key(Type.Boolean(), {
        description: 'Takes the examples in a new order in every epoch.',
        affects: o.affects,
        default: o.shuffle,
        ...(o.needs ? { needsFound: 'a limit on the batches, or a last batch that is not full' } : {}),
      }),
      num_samples: key(Type.Integer({ minimum: -1 }), {
        description: 'Keeps only the first N lines of the file. -1 or 0: all.',
        affects: o.affects,
        default: -1,
      }),
      num_workers: key(Type.Integer({ minimum: 0 }), {
        description:
          'Number of threads that tokenize the text after its first 8,192 examples, where tokenizing takes most of the time. 0: the main thread tokenizes all of it.',
        affects: 'package',
        default: 3,
        whenAbsent: 0,
        needsFound: '8,192 or more examples',
        versions: "NeMo's documentation says 2; its file says 3. There they are PyTorch's loader processes.",
      }),
      drop_last: key(Type.Boolean(), {
        description: 'Leaves out the last batch when it is not full.',
        affects: o.affects,
        default: false,
      }),
      pin_memory: ignored(
        'Keeps batches in memory that a GPU reads faster.',
        false,
        'batches are small compared with the model; TensorFlow copies them itself',
        'package',
      ),
    }),
  });

const shared = (name: string, value: JsonValue) => ({
  ...ignored(
    `The value that data sets refer to as \${model.dataset.${name}}.`,
    value,
    `only \${model.dataset.${name}} in a data set reads it`,
    'package',
  ),
  versions: 'In files before 1.0.',
});

const option = <T extends TSchema>(
  schema: T,
  description: string,
  usual: JsonValue = null,
  needs: readonly Need[] = [],
) => optional(schema, { description, affects: 'training', default: usual, needs });
const optionalIgnored = (description: string, usual: JsonValue, noEffect: string) =>
  Type.Optional(ignored(description, usual, noEffect, 'package'));
const optionalOff = (description: string, accepted: readonly JsonValue[], instead: string) =>
  Type.Optional(onlyOff(description, accepted, instead, 'package'));

const withMomentum: Need = [{ key: 'model.optim.momentum', isNot: [0, null] }];
const schedule = 'model.optim.sched.name';
const scheduleLength = 'model.optim.sched.max_steps';

const momentum = 'CyclicLR changes only the learning rate here';
const implementation = (name: string) =>
  optionalIgnored(`PyTorch's choice of implementation (${name}).`, null, 'TensorFlow has one implementation');

const optionsOfUnsupported = Object.fromEntries(
  Object.entries(unsupportedOptimizers).flatMap(([optimizer, names]) =>
    names.map((name) => [
      name,
      optional(anything, { description: `${optimizer}: Nautil does not have this optimizer.`, affects: 'package' }),
    ]),
  ),
) as Record<(typeof unsupportedOptimizers)[keyof typeof unsupportedOptimizers][number], TOptional<TUnsafe<JsonValue>>>;

const optimSchema = section('The optimizer. Its name determines which keys it takes.', {
  name: key(oneOf<OptimizerName>(...namesOf(optimizers), ...(namesOf(unsupportedOptimizers) as never[])), {
    description:
      "The optimizer. adam is PyTorch's Adam, which adds weight decay to the gradient; adamw decays the weights themselves.",
    affects: 'training',
    default: 'adam',
    unsupported: {
      accepted: namesOf(optimizers),
      instead: `Nautil lacks ${listed(namesOf(unsupportedOptimizers))} of NeMo's optimizers: use adamw`,
    },
  }),
  lr: option(Type.Number({ minimum: 0 }), 'The learning rate at the end of warm-up.', 2e-5, [
    [{ key: schedule, isNot: ['CyclicLR', 'T5InverseSquareRootAnnealing'] }],
  ]),
  betas: option(pair(unit), 'Decay of the averages of the gradient and of its square.', [0.9, 0.999]),
  eps: optional(Type.Number({ minimum: 0 }), {
    description: 'Added to the divisor, so that it is not zero.',
    affects: 'training',
    default: 1e-8,
    versions: "Not in NeMo's file; the default depends on the optimizer.",
  }),
  weight_decay: option(
    Type.Number({ minimum: 0 }),
    'Weight decay of every weight, biases and layer norms included, as in NeMo.',
    0.01,
  ),
  momentum: option(Type.Number({ minimum: 0 }), 'sgd, rmsprop: momentum.', 0),
  dampening: option(Type.Number(), 'sgd: dampening of momentum.', 0, [withMomentum]),
  nesterov: option(
    Type.Boolean(),
    "sgd: Nesterov's momentum, which needs momentum above 0 and no dampening, as in PyTorch.",
    false,
  ),
  rho: option(Type.Number(unit), 'adadelta: decay of the average of squared gradients.', 0.9),
  lr_decay: option(Type.Number({ minimum: 0 }), 'adagrad: decay of the learning rate.', 0),
  initial_accumulator_value: option(
    Type.Number({ minimum: 0 }),
    'adagrad: initial value of the sum of squared gradients.',
    0,
  ),
  alpha: option(Type.Number(unit), 'rmsprop: smoothing.', 0.99),
  centered: option(Type.Boolean(), 'rmsprop: divides by the variance of the gradient.', false),
  amsgrad: optionalOff('adam, adamw: keeps the largest average of squared gradients.', [false, null], 'leave it out'),
  foreach: implementation('foreach'),
  capturable: implementation('capturable'),
  differentiable: implementation('differentiable'),
  fused: implementation('fused'),
  maximize: optionalOff('Maximizes the loss in place of minimizing it.', [false, null], 'leave it out'),
  args: {
    ...optionalOff(
      'A nested form of the keys of this section.',
      [null],
      'write its params directly: model.optim.weight_decay and so on',
    ),
    versions: 'Before 1.0.',
  },
  ...optionsOfUnsupported,
  sched: nullableSection({
    name: key(oneOf<ScheduleName>(...namesOf(schedules)), {
      description: 'The schedule. WarmupAnnealing rises and then falls linearly.',
      affects: 'training',
      default: 'WarmupAnnealing',
    }),
    warmup_steps: option(
      nullable(Type.Integer({ minimum: 0 })),
      'Steps during which the rate rises. Excludes warmup_ratio.',
    ),
    warmup_ratio: optional(nullable(Type.Number({ minimum: 0, maximum: 1 })), {
      description: 'Fraction of all steps during which the rate rises.',
      affects: 'training',
      default: 0.1,
      whenAbsent: null,
    }),
    min_lr: optional(nullable(Type.Number({ minimum: 0 })), {
      description: 'The rate at the end. SquareAnnealing ends at 1e-5 when it is absent.',
      affects: 'training',
      default: 0,
      needs: [
        [
          {
            key: schedule,
            isNot: ['WarmupPolicy', 'WarmupHoldPolicy', 'InverseSquareRootAnnealing', 'T5InverseSquareRootAnnealing'],
          },
          { key: scheduleLength, isNot: [null] },
        ],
      ],
      versions: "Not in NeMo's file.",
    }),
    last_epoch: optionalOff(
      'The step at which the schedule starts. -1: at the first step.',
      [-1, null],
      'leave it out: PyTorch refuses other values for a new optimizer, and a resumed run continues its schedule by itself',
    ),
    monitor: option(oneOf(...nemoMonitors), 'ReduceLROnPlateau: the value that it watches.', 'val_loss', [
      [{ key: schedule, is: ['ReduceLROnPlateau'] }],
    ]),
    reduce_on_plateau: optionalIgnored('Marks ReduceLROnPlateau in NeMo.', false, 'name selects the schedule'),
    max_steps: option(
      nullable(Type.Integer({ minimum: -1 })),
      'Steps that the schedule spans. null: those of trainer.max_epochs. -1: the rate is constant. trainer.max_steps takes precedence.',
      null,
      [
        [{ key: 'trainer.max_steps', is: [-1, null] }],
        [
          { key: schedule, isNot: ['ReduceLROnPlateau', 'StepLR', 'ExponentialLR', 'CyclicLR'] },
          { key: scheduleLength, is: [-1] },
        ],
      ],
    ),
    iters_per_batch: {
      ...optionalIgnored('Computed at run time in NeMo.', null, 'Nautil counts the steps'),
      versions: 'Before 1.0.',
    },
    hold_steps: option(nullable(Type.Integer({ minimum: 0 })), '…Hold…: steps at the full rate after warm-up.'),
    hold_ratio: option(
      nullable(Type.Number({ minimum: 0, maximum: 1 })),
      '…Hold…: fraction of all steps at the full rate.',
    ),
    constant_steps: option(
      nullable(Type.Integer({ minimum: 0 })),
      'CosineAnnealing: steps at min_lr at the end. T5InverseSquareRootAnnealing: steps at a constant rate.',
    ),
    constant_ratio: option(
      nullable(Type.Number({ minimum: 0, maximum: 1 })),
      'CosineAnnealing: fraction of all steps at min_lr at the end.',
    ),
    power: option(Type.Number(), 'Polynomial…: exponent.', 1.0),
    cycle: optionalIgnored(
      'Polynomial…: starts again after the last step.',
      false,
      "as in NeMo, the rate is min_lr after the schedule's last step, so that no second cycle begins",
    ),
    d_model: option(Type.Number({ exclusiveMinimum: 0 }), 'NoamAnnealing: width of the model.'),
    decay_rate: option(Type.Number(), 'NoamHoldAnnealing: exponent.', 0.5),
    step_size: option(Type.Integer({ minimum: 1 }), 'StepLR: steps between two decreases.'),
    gamma: option(
      Type.Number(),
      'StepLR, ExponentialLR: factor of a decrease, every step_size steps or every epoch. CyclicLR with exp_range: factor of the cycle’s height at every step.',
      0.1,
    ),
    mode: option(Type.String(), 'ReduceLROnPlateau: min or max. CyclicLR: triangular, triangular2 or exp_range.'),
    factor: option(Type.Number({ exclusiveMaximum: 1 }), 'ReduceLROnPlateau: factor of a decrease.', 0.1),
    patience: option(Type.Integer(), 'ReduceLROnPlateau: ends of epochs without an improvement.', 10),
    threshold: option(Type.Number(), 'ReduceLROnPlateau: smallest change that counts as an improvement.', 1e-4),
    threshold_mode: option(oneOf('rel', 'abs'), 'ReduceLROnPlateau: whether threshold is relative or absolute.', 'rel'),
    cooldown: option(Type.Integer(), 'ReduceLROnPlateau: ends of epochs to wait after a decrease.', 0),
    eps: option(Type.Number({ minimum: 0 }), 'ReduceLROnPlateau: a smaller decrease is not applied.', 1e-8),
    base_lr: option(Type.Number(), 'CyclicLR: the low rate.'),
    max_lr: option(Type.Number(), 'CyclicLR: the high rate.'),
    step_size_up: option(Type.Integer({ minimum: 1 }), 'CyclicLR: steps up.', 2000),
    step_size_down: option(nullable(Type.Integer({ minimum: 1 })), 'CyclicLR: steps down. null: as many as up.'),
    scale_mode: optionalIgnored(
      'CyclicLR: cycle or iterations.',
      'cycle',
      'PyTorch reads it only with a scale_fn, which a configuration cannot hold',
    ),
    cycle_momentum: optionalOff(
      "CyclicLR: cycles momentum inversely, or Adam's first beta. CyclicLR needs false, because PyTorch's default is true.",
      [false],
      'set it to false: CyclicLR changes only the learning rate here',
    ),
    base_momentum: optionalIgnored('CyclicLR: low momentum.', 0.8, momentum),
    max_momentum: optionalIgnored('CyclicLR: high momentum.', 0.9, momentum),
    args: {
      ...optionalOff(
        'A nested form of the keys of this section.',
        [null],
        'write its params directly: model.optim.sched.warmup_ratio and so on',
      ),
      versions: 'Before 1.0.',
    },
  }),
});

/** `sched: null` switches the schedule off, so that the section itself may be null. */
function nullableSection<P extends TProperties>(properties: P) {
  const schema: TObject<P> = section('The schedule of the learning rate. null: the rate is constant.', properties);
  return Type.Unsafe<Static<TObject<P>> | null>({ ...schema, type: ['object', 'null'] });
}

/** `model`: NeMo's TextClassificationModel. */
export const modelSchema = section("The model and its data: NeMo's TextClassificationModel.", {
  nemo_path: key(nullable(Type.String()), {
    description:
      "Where the packaged model is written. {run} is the name of the run: its workflow id, or for the command train its name and start. An archive of another run that is there is kept as name.1.nemo. null: only in the folder of the run. NeMo's default: text_classification_model.nemo.",
    affects: 'nothing',
    default: 'models/{run}.nemo',
    whenAbsent: null,
    path: 'output',
  }),
  tokenizer: section('The tokenizer.', {
    tokenizer_name: key(nullable(Type.String()), {
      description:
        'Name or folder of a tokenizer: WordPiece, byte-level BPE or SentencePiece. The default is the tokenizer of the encoder.',
      affects: 'inputs',
      default: '${model.language_model.pretrained_model_name}',
      whenAbsent: null,
      path: 'name',
    }),
    vocab_file: key(nullable(Type.String()), {
      description: "A vocabulary (vocab.txt, vocab.json or a SentencePiece model) that replaces the tokenizer's own.",
      affects: 'inputs',
      default: null,
      path: 'input',
    }),
    tokenizer_model: key(
      nullable(Type.String({ pattern: String.raw`\.model$`, title: 'a path that ends in .model' })),
      {
        description:
          "A SentencePiece model (.model) that replaces the tokenizer's own, as vocab_file does. The tokenizer is Hugging Face's for the encoder.",
        affects: 'inputs',
        default: null,
        path: 'input',
        versions: 'NeMo reads it only with tokenizer_name=sentencepiece, whose ids are not those of Hugging Face.',
      },
    ),
    bpe_dropout: {
      ...onlyOff('Dropout of merges, for yttm and SentencePiece.', [null, 0], 'leave it out', 'package'),
      versions: 'Before 1.8.',
    },
    special_tokens: key(nullable(Type.Record(Type.String(), Type.String())), {
      description:
        'Special tokens by name, which replace those of the tokenizer: {cls_token: "[CLS]", sep_token: "[SEP]", …}.',
      affects: 'inputs',
      default: null,
    }),
  }),
  language_model: section('The encoder.', {
    pretrained_model_name: key(nullable(Type.String({ minLength: 1 })), {
      description:
        'A folder or a file, an installed model (all-MiniLM-L6-v2), or a name on the Hugging Face hub, which is read from the cache or downloaded.',
      affects: 'inputs',
      default: 'bert-base-uncased',
      path: 'name',
    }),
    lm_checkpoint: key(nullable(Type.String()), {
      description:
        "A file of weights, or its http(s) address, that replaces the encoder's weights: PyTorch, safetensors, or a Megatron-LM checkpoint.",
      affects: 'inputs',
      default: null,
      path: 'input',
      versions: 'nemo_file in 1.5–1.6 named a Megatron .nemo.',
    }),
    config_file: key(nullable(Type.String()), {
      description: 'A config.json that defines an encoder with random weights.',
      affects: 'inputs',
      default: null,
      path: 'input',
    }),
    config: key(nullable(anyObject), {
      description: 'The content of such a file. config_file takes precedence.',
      affects: 'training',
      default: null,
      needs: [[{ key: 'model.language_model.config_file', is: [null] }]],
    }),
    nemo_file: key(anything, {
      description: 'The old name of lm_checkpoint, which takes over its value, with a note.',
      affects: 'inputs',
      default: null,
      versions: '1.5–1.6.',
    }),
  }),
  classifier_head: section('The layers on top of the first token.', {
    num_output_layers: key(Type.Integer({ minimum: 1 }), {
      description: 'Number of fully connected layers, with ReLU between them.',
      affects: 'training',
      default: 2,
    }),
    fc_dropout: key(Type.Number(unit), {
      description: 'Dropout before the first of these layers.',
      affects: 'training',
      default: 0.1,
    }),
    activation: {
      ...onlyOff('The activation between the layers.', ['relu', null], 'write relu, or leave it out', 'package'),
      versions: 'In files before 1.0.',
    },
  }),
  class_labels: section('Names of the labels.', {
    class_labels_file: key(nullable(Type.String()), {
      description: 'A file with one name on each line, in the order of the label ids.',
      affects: 'inputs',
      default: null,
      path: 'input',
    }),
  }),
  dataset: section('Options of all three data sets.', {
    num_classes: key(nullable(Type.Integer({ minimum: 1 })), {
      description: 'Number of labels, counted from 0. ??? or null: counted from the training labels.',
      affects: 'inputs',
      default: '???',
      whenAbsent: null,
    }),
    do_lower_case: key(nullable(Type.Boolean()), {
      description:
        'Whether text is converted to lower case. The files of the tokenizer take precedence. null: the vocabulary or the name decides.',
      affects: 'training',
      default: null,
      needsFound: 'a tokenizer whose files do not state whether it lower-cases',
      versions: 'NeMo never reads it.',
    }),
    max_seq_length: key(Type.Integer({ minimum: -1, maximum: 65535 }), {
      description:
        'Longest sequence in tokens, including [CLS] and [SEP]; longer ones are cut at the end. -1 or 0: the longest that the encoder supports.',
      affects: 'training',
      default: 256,
    }),
    class_balancing: key(nullable(oneOf('weighted_loss')), {
      description: 'weighted_loss: rare classes have more weight in the loss.',
      affects: 'training',
      default: null,
    }),
    use_cache: key(Type.Boolean(), {
      description:
        'Keeps the tokens in the store, and reuses those of an earlier run with the same text, tokenizer and length. false: every run tokenizes its text into its own folder, where only its own retries find the tokens.',
      affects: 'package',
      default: false,
      versions: "NeMo's cache does not notice that a file changed.",
    }),
    num_workers: shared('num_workers', 3),
    drop_last: shared('drop_last', false),
    pin_memory: shared('pin_memory', false),
  }),
  train_ds: dataset('training', {
    shuffle: true,
    requirement: 'Required for training.',
    affects: 'training',
    file: 'inputs',
  }),
  validation_ds: dataset('validation', {
    shuffle: false,
    requirement: 'null: no validation.',
    affects: 'training',
    file: 'inputs',
    needs: validated,
  }),
  test_ds: dataset('test', {
    shuffle: false,
    requirement: 'null: no test after training.',
    affects: 'evaluation',
    file: 'evaluation',
    needs: tested,
  }),
  optim: optimSchema,
  infer_samples: key(nullable(Type.Array(Type.String())), {
    description: 'Texts that the trained model classifies, to be read by people.',
    affects: 'evaluation',
    default: [],
    whenAbsent: [],
  }),
  target: inOwnConfiguration('The Python class', 'package'),
  nemo_version: inOwnConfiguration('The version of NeMo', 'package'),
  tokenizer_vocab_dict: inOwnConfiguration('The vocabulary', 'package'),
});

function inOwnConfiguration(what: string, affects: Affects) {
  return key(anything, {
    description: `${what}, in the configuration that a .nemo file records.`,
    affects,
    default: null,
  });
}
