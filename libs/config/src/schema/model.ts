import type { JsonObject, JsonValue } from '@nautil/contracts';
import { Type, type Static, type TObject } from '@sinclair/typebox';
import { anything, key, nullable, oneOf, optional, section, type KeyNotes } from './key.js';
import { optimizers, schedules, type OptimizerName } from './optimizers.js';

const anyObject = Type.Unsafe<JsonObject>({ type: 'object' });
const unit = { minimum: 0, exclusiveMaximum: 1 } as const;
const pair = (limits: object) => Type.Tuple([Type.Number(limits), Type.Number(limits)]);

const dataset = (what: string, shuffle: boolean, requirement: string) =>
  section(`The ${what} data.`, {
    file_path: key(nullable(Type.String()), {
      description: `A TSV file in NeMo's format: text, a tab, and an integer label on each line. ${requirement}`,
      default: null,
      path: 'input',
      affectsResult: 'content',
    }),
    batch_size: key(Type.Integer({ minimum: 1 }), {
      description: 'Examples in a batch, on each device.',
      default: 64,
      versions: "NeMo's documentation says 32; its file says 64.",
    }),
    shuffle: key(Type.Boolean(), {
      description: 'Takes the examples in a new order in every epoch.',
      default: shuffle,
    }),
    num_samples: key(Type.Integer({ minimum: -1 }), {
      description: 'Keeps the first N lines of the file only. -1 or 0: all.',
      default: -1,
    }),
    num_workers: key(Type.Integer({ minimum: 0 }), {
      description: 'Threads that tokenize while the cache of tokens is made. 0: the main thread.',
      default: 3,
      whenAbsent: 0,
      affectsResult: false,
      versions: "NeMo's documentation says 2; its file says 3. There they are PyTorch's loader processes.",
    }),
    drop_last: key(Type.Boolean(), { description: 'Leaves out the last batch when it is not full.', default: false }),
    pin_memory: key(Type.Boolean(), {
      description: 'Keeps batches in memory that a GPU reads faster.',
      default: false,
      affectsResult: false,
      noEffect: 'batches are small beside the model; TensorFlow copies them itself',
    }),
  });

const shared = (name: string, value: JsonValue) =>
  key(anything, {
    description: `What the data sets refer to as \${model.dataset.${name}}.`,
    default: value,
    affectsResult: false,
    versions: 'In files before 1.0.',
    noEffect: `only \${model.dataset.${name}} in a data set reads it`,
  });

const implementation = (name: string): KeyNotes => ({
  description: `PyTorch's choice of implementation (${name}).`,
  default: null,
  affectsResult: false,
  noEffect: 'TensorFlow has one implementation',
});

const optimSchema = section('The optimizer. Which keys hold depends on its name.', {
  name: key(oneOf(...(Object.keys(optimizers) as OptimizerName[])), {
    description:
      "The optimizer. adam is PyTorch's Adam, whose weight decay is added to the gradient; adamw decays the weights themselves.",
    default: 'adam',
    lacking: {
      accepted: ['adam', 'adamw', 'sgd', 'adadelta', 'adamax', 'adagrad', 'rmsprop'],
      instead: 'rprop, novograd and adafactor are the ones of NeMo that are not here: adamw does in their place',
    },
  }),
  lr: optional(nullable(Type.Number({ minimum: 0 })), {
    description: 'The learning rate at the end of warm-up. null is for adafactor only, which then finds its own.',
    default: 2e-5,
  }),
  betas: optional(pair(unit), {
    description: 'Decay of the averages of gradient and squared gradient.',
    default: [0.9, 0.999],
  }),
  eps: optional(Type.Union([Type.Number({ minimum: 0 }), pair({ minimum: 0 })]), {
    description: 'Added to the divisor, so that it is not zero. adafactor takes two.',
    default: 1e-8,
    versions: "Not in NeMo's file; the optimizer's own default holds.",
  }),
  weight_decay: optional(Type.Number({ minimum: 0 }), {
    description: 'Weight decay, on every weight: biases and layer norms too, as in NeMo.',
    default: 0.01,
  }),
  amsgrad: optional(Type.Boolean(), {
    description: 'adam, adamw, novograd: keeps the largest average of squared gradients.',
    default: false,
    lacking: { accepted: [false, null], instead: 'leave it out' },
  }),
  momentum: optional(Type.Number({ minimum: 0 }), { description: 'sgd, rmsprop: momentum.', default: 0 }),
  dampening: optional(Type.Number(), { description: 'sgd: dampening of momentum.', default: 0 }),
  nesterov: optional(Type.Boolean(), { description: "sgd: Nesterov's momentum.", default: false }),
  rho: optional(Type.Number(unit), {
    description: 'adadelta: decay of the average of squared gradients.',
    default: 0.9,
  }),
  lr_decay: optional(Type.Number({ minimum: 0 }), { description: 'adagrad: decay of the learning rate.', default: 0 }),
  initial_accumulator_value: optional(Type.Number({ minimum: 0 }), {
    description: 'adagrad: the sum to start with.',
    default: 0,
  }),
  alpha: optional(Type.Number(unit), { description: 'rmsprop: smoothing.', default: 0.99 }),
  centered: optional(Type.Boolean(), {
    description: 'rmsprop: divides by the variance of the gradient.',
    default: false,
  }),
  etas: optional(pair({ exclusiveMinimum: 0 }), {
    description: 'rprop: factors of decrease and increase.',
    default: [0.5, 1.2],
  }),
  step_sizes: optional(pair({ minimum: 0 }), { description: 'rprop: smallest and largest step.', default: [1e-6, 50] }),
  grad_averaging: optional(Type.Boolean(), { description: 'novograd: averages gradients.', default: false }),
  luc: optional(Type.Boolean(), { description: 'novograd: layer-wise update control.', default: false }),
  luc_trust: optional(Type.Number(), { description: 'novograd: trust ratio of luc.', default: 1e-3 }),
  luc_eps: optional(Type.Number(), { description: 'novograd: epsilon of luc.', default: 1e-8 }),
  clip_threshold: optional(Type.Number(), { description: 'adafactor: limit of the update.', default: 1.0 }),
  decay_rate: optional(Type.Number(), { description: 'adafactor: exponent of the decay of averages.', default: -0.8 }),
  beta1: optional(nullable(Type.Number(unit)), {
    description: 'adafactor: decay of the average of the gradient. null: none.',
    default: null,
  }),
  scale_parameter: optional(Type.Boolean(), {
    description: 'adafactor: scales the rate by the size of the weights.',
    default: true,
  }),
  relative_step: optional(Type.Boolean(), { description: 'adafactor: finds the rate from the step.', default: true }),
  warmup_init: optional(Type.Boolean(), {
    description: 'adafactor: starts with a small relative step.',
    default: false,
  }),
  min_step: optional(Type.Number(), { description: 'adafactor: smallest relative step.', default: 1e-2 }),
  foreach: optional(anything, implementation('foreach')),
  capturable: optional(anything, implementation('capturable')),
  differentiable: optional(anything, implementation('differentiable')),
  fused: optional(anything, implementation('fused')),
  maximize: optional(anything, {
    description: 'Climbs instead of descending.',
    default: false,
    lacking: { accepted: [false, null], instead: 'leave it out' },
  }),
  args: optional(anything, {
    description: 'A nested form of the keys of this section.',
    default: null,
    versions: 'Before 1.0.',
    lacking: { accepted: [null], instead: 'write its params directly: model.optim.weight_decay and so on' },
  }),
  sched: nullableSection(
    section('The schedule of the learning rate. null: it stays the same.', {
      name: key(oneOf(...Object.keys(schedules)), {
        description: 'The schedule. WarmupAnnealing rises and then falls in straight lines.',
        default: 'WarmupAnnealing',
      }),
      warmup_steps: optional(nullable(Type.Integer({ minimum: 0 })), {
        description: 'Steps of rising rate. Not together with warmup_ratio.',
        default: null,
      }),
      warmup_ratio: optional(nullable(Type.Number({ minimum: 0, maximum: 1 })), {
        description: 'Fraction of all steps with rising rate.',
        default: 0.1,
        whenAbsent: null,
      }),
      min_lr: optional(Type.Union([Type.Number({ minimum: 0 }), Type.Null()]), {
        description: 'The rate at the end.',
        default: 0,
        versions: "Not in NeMo's file.",
      }),
      last_epoch: optional(Type.Integer({ minimum: -1 }), {
        description: 'Step to go on from. -1: the start.',
        default: -1,
      }),
      monitor: optional(Type.String(), { description: 'What ReduceLROnPlateau looks at.', default: 'val_loss' }),
      reduce_on_plateau: optional(Type.Boolean(), { description: 'True for ReduceLROnPlateau.', default: false }),
      max_steps: optional(nullable(Type.Integer({ minimum: -1 })), {
        description: 'Steps that the schedule spans. null or -1: those of the training.',
        default: null,
      }),
      iters_per_batch: optional(anything, {
        description: 'Computed at run time.',
        default: null,
        affectsResult: false,
        noEffect: 'the number of steps is counted',
        versions: 'Before 1.0.',
      }),
      hold_steps: optional(nullable(Type.Integer({ minimum: 0 })), {
        description: '…Hold…: steps at the full rate after warm-up.',
        default: null,
      }),
      hold_ratio: optional(nullable(Type.Number({ minimum: 0, maximum: 1 })), {
        description: '…Hold…: fraction of all steps at the full rate.',
        default: null,
      }),
      constant_steps: optional(nullable(Type.Integer({ minimum: 0 })), {
        description: 'CosineAnnealing: steps at min_lr at the end.',
        default: null,
      }),
      constant_ratio: optional(nullable(Type.Number({ minimum: 0, maximum: 1 })), {
        description: 'CosineAnnealing: fraction of all steps at min_lr at the end.',
        default: null,
      }),
      power: optional(Type.Number(), { description: 'Polynomial…: exponent.', default: 1.0 }),
      cycle: optional(Type.Boolean(), {
        description: 'Polynomial…: starts again after the last step.',
        default: false,
      }),
      d_model: optional(Type.Number({ exclusiveMinimum: 0 }), {
        description: 'NoamAnnealing: width of the model.',
        default: null,
      }),
      decay_rate: optional(Type.Number(), { description: 'NoamHoldAnnealing: exponent.', default: 0.5 }),
      step_size: optional(Type.Integer({ minimum: 1 }), {
        description: 'StepLR: steps between two decreases.',
        default: null,
      }),
      gamma: optional(Type.Number(), { description: 'StepLR, ExponentialLR, CyclicLR: factor.', default: 0.1 }),
      mode: optional(Type.String(), {
        description: 'ReduceLROnPlateau: min or max. CyclicLR: triangular, triangular2 or exp_range.',
        default: null,
      }),
      factor: optional(Type.Number(), { description: 'ReduceLROnPlateau: factor of decrease.', default: 0.1 }),
      patience: optional(Type.Integer(), {
        description: 'ReduceLROnPlateau: evaluations without improvement.',
        default: 10,
      }),
      threshold: optional(Type.Number(), {
        description: 'ReduceLROnPlateau: what counts as improvement.',
        default: 1e-4,
      }),
      threshold_mode: optional(oneOf('rel', 'abs'), {
        description: 'ReduceLROnPlateau: relative or absolute threshold.',
        default: 'rel',
      }),
      cooldown: optional(Type.Integer(), {
        description: 'ReduceLROnPlateau: evaluations to wait after a decrease.',
        default: 0,
      }),
      eps: optional(Type.Number(), { description: 'ReduceLROnPlateau: smallest decrease.', default: 1e-8 }),
      base_lr: optional(Type.Number(), { description: 'CyclicLR: the low rate.', default: null }),
      max_lr: optional(Type.Number(), { description: 'CyclicLR: the high rate.', default: null }),
      step_size_up: optional(Type.Integer(), { description: 'CyclicLR: steps up.', default: 2000 }),
      step_size_down: optional(nullable(Type.Integer()), { description: 'CyclicLR: steps down.', default: null }),
      scale_mode: optional(Type.String(), { description: 'CyclicLR: cycle or iterations.', default: 'cycle' }),
      cycle_momentum: optional(Type.Boolean(), {
        description: 'CyclicLR: cycles momentum the other way.',
        default: true,
      }),
      base_momentum: optional(Type.Number(), { description: 'CyclicLR: low momentum.', default: 0.8 }),
      max_momentum: optional(Type.Number(), { description: 'CyclicLR: high momentum.', default: 0.9 }),
      args: optional(anything, {
        description: 'A nested form of the keys of this section.',
        default: null,
        versions: 'Before 1.0.',
        lacking: { accepted: [null], instead: 'write its params directly: model.optim.sched.warmup_ratio and so on' },
      }),
    }),
  ),
});

// `sched: null` switches the schedule off, so that the section itself may be null.
function nullableSection<T extends TObject>(schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, type: ['object', 'null'] });
}

/** `model`: NeMo's TextClassificationModel. */
export const modelSchema = section("The model and its data: NeMo's TextClassificationModel.", {
  nemo_path: key(nullable(Type.String()), {
    description: 'Where the packaged model is written at the end. null: only in the folder of the run.',
    default: 'text_classification_model.nemo',
    whenAbsent: null,
    path: 'output',
    affectsResult: false,
  }),
  tokenizer: section('The tokenizer.', {
    tokenizer_name: key(nullable(Type.String()), {
      description:
        'Name or folder of a WordPiece or byte-level BPE tokenizer. Follows the language model when left alone.',
      default: '${model.language_model.pretrained_model_name}',
      whenAbsent: null,
      path: 'name',
      affectsResult: 'name',
    }),
    vocab_file: key(nullable(Type.String()), {
      description: 'A vocabulary to use in place of that of the tokenizer: vocab.txt, or vocab.json.',
      default: null,
      path: 'input',
      affectsResult: 'content',
    }),
    tokenizer_model: key(anything, {
      description: 'A sentencepiece model.',
      default: null,
      lacking: {
        accepted: [null],
        instead: 'sentencepiece is not supported: use a WordPiece or byte-level BPE tokenizer',
      },
    }),
    bpe_dropout: key(anything, {
      description: 'Dropout of merges, for yttm and sentencepiece.',
      default: null,
      lacking: { accepted: [null, 0], instead: 'leave it out' },
      versions: 'Before 1.8.',
    }),
    special_tokens: key(nullable(Type.Record(Type.String(), Type.String())), {
      description:
        'Special tokens by name, in place of those of the tokenizer: {cls_token: "[CLS]", sep_token: "[SEP]", …}.',
      default: null,
    }),
  }),
  language_model: section('The encoder.', {
    pretrained_model_name: key(nullable(Type.String({ minLength: 1 })), {
      description:
        'A folder or a file, an installed model (all-MiniLM-L6-v2), or a name on the Hugging Face hub: taken from its cache, else fetched.',
      default: 'bert-base-uncased',
      path: 'name',
      affectsResult: 'name',
    }),
    lm_checkpoint: key(nullable(Type.String()), {
      description:
        "A file of weights, or its http(s) address, to load over the encoder's: PyTorch, safetensors, or a Megatron-LM checkpoint.",
      default: null,
      path: 'input',
      affectsResult: 'content',
      versions: 'nemo_file in 1.5–1.6 named a Megatron .nemo.',
    }),
    config_file: key(nullable(Type.String()), {
      description: 'A config.json: the encoder is made by it, with random weights.',
      default: null,
      path: 'input',
      affectsResult: 'content',
    }),
    config: key(nullable(anyObject), {
      description: 'The same, written out. config_file goes before it.',
      default: null,
    }),
    nemo_file: key(anything, {
      description: 'A Megatron model.',
      default: null,
      versions: '1.5–1.6.',
      lacking: { accepted: [null], instead: 'give the file as model.language_model.lm_checkpoint' },
    }),
  }),
  classifier_head: section('What stands on top of the first token.', {
    num_output_layers: key(Type.Integer({ minimum: 1 }), {
      description: 'Fully connected layers, with ReLU between them.',
      default: 2,
    }),
    fc_dropout: key(Type.Number(unit), { description: 'Dropout before the first of them.', default: 0.1 }),
    activation: key(anything, {
      description: 'What stands between the layers: relu.',
      default: 'relu',
      versions: 'In files before 1.0.',
      lacking: { accepted: ['relu', null], instead: 'write relu, or leave it out' },
    }),
  }),
  class_labels: section('Names of the labels.', {
    class_labels_file: key(nullable(Type.String()), {
      description: 'One name on each line, in the order of the label ids.',
      default: null,
      path: 'input',
      affectsResult: 'content',
    }),
  }),
  dataset: section('What holds for all three data sets.', {
    num_classes: key(nullable(Type.Integer({ minimum: 1 })), {
      description: 'Number of labels, from 0 on. ??? or null: counted from the training labels.',
      default: '???',
      whenAbsent: null,
    }),
    do_lower_case: key(Type.Boolean(), {
      description: 'Lower-cases the text when the tokenizer itself does not say.',
      default: false,
      versions: 'NeMo never reads it.',
    }),
    max_seq_length: key(Type.Integer({ minimum: -1, maximum: 65535 }), {
      description:
        'Longest sequence in tokens, [CLS] and [SEP] included; longer ones lose their end. -1 or 0: as long as the encoder takes.',
      default: 256,
    }),
    class_balancing: key(nullable(oneOf('weighted_loss')), {
      description: 'weighted_loss: rare classes count for more in the loss.',
      default: null,
    }),
    use_cache: key(Type.Boolean(), {
      description: 'Reads tokens of an earlier run when text, tokenizer and length are the same.',
      default: false,
      affectsResult: false,
      versions: "NeMo's cache does not see that a file changed.",
    }),
    num_workers: shared('num_workers', 3),
    drop_last: shared('drop_last', false),
    pin_memory: shared('pin_memory', false),
  }),
  train_ds: dataset('training', true, 'Needed for training.'),
  validation_ds: dataset('validation', false, 'null: no validation.'),
  test_ds: dataset('test', false, 'null: no test after training.'),
  optim: optimSchema,
  infer_samples: key(nullable(Type.Array(Type.String())), {
    description: 'Texts that are classified after training, for people to look at.',
    default: [],
    whenAbsent: [],
    affectsResult: false,
  }),
  target: key(anything, {
    description: "The Python class, in a model's own configuration.",
    default: null,
    affectsResult: false,
  }),
  nemo_version: key(anything, {
    description: "The version that wrote it, in a model's own configuration.",
    default: null,
    affectsResult: false,
  }),
  tokenizer_vocab_dict: key(anything, {
    description: "The vocabulary, in a model's own configuration.",
    default: null,
    affectsResult: false,
  }),
});
