import { Type } from '@sinclair/typebox';
import type { BatchAmount } from '../batch-amount.js';
import { anything, key, nullable, oneOf, section } from './key.js';

const noLightning = 'there is no Lightning here';
const onlyOff = (instead: string, ...more: (string | number | boolean | null)[]) => ({
  accepted: [null, false, ...more],
  instead,
});
const batchAmount = (limits: object) => Type.Unsafe<BatchAmount>(nullable(Type.Number(limits)));
const batches = (split: string) =>
  key(batchAmount({ minimum: 0 }), {
    description: `How much of the ${split} data to use: a fraction of it when written with a dot (1.0 is all, 0.5 half), a number of batches when written without (1 is one batch).`,
    default: 1.0,
    fraction: true,
    versions: "Lightning's key; not in NeMo's file.",
  });

/** `trainer`: PyTorch Lightning's names and meanings. */
export const trainerSchema = section("The training loop: PyTorch Lightning's keys, as NeMo passes them on.", {
  devices: key(
    Type.Union([
      Type.Integer({ minimum: -1 }),
      Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1, uniqueItems: true }),
      Type.String({ pattern: '^(auto|-?\\d+|\\d+(\\s*,\\s*\\d+)+)$', title: 'auto' }),
    ]),
    {
      description:
        'How many devices train together, or the list of their indexes ([0,1]). -1 is all there are. On a CPU it is the number of replicas.',
      default: 1,
      whenAbsent: 'auto',
      versions: 'gpus in 1.0–1.6.',
    },
  ),
  num_nodes: key(Type.Integer({ minimum: 1 }), { description: 'How many machines train together.', default: 1 }),
  max_epochs: key(nullable(Type.Integer({ minimum: -1 })), {
    description: 'Passes over the training data. -1 or null: no limit, so that max_steps must be given.',
    default: 100,
    whenAbsent: 1000,
  }),
  max_steps: key(nullable(Type.Integer({ minimum: -1 })), {
    description: 'Optimizer steps after which training ends, whatever max_epochs says. -1 or null: no limit.',
    default: -1,
    versions: 'null until 1.8, -1 since 1.9: both mean no limit.',
  }),
  accumulate_grad_batches: key(Type.Integer({ minimum: 1 }), {
    description: 'Batches whose gradients are added up before each optimizer step.',
    default: 1,
  }),
  gradient_clip_val: key(nullable(Type.Number({ minimum: 0 })), {
    description: 'Gradients are scaled down to this global norm. 0 or null: off.',
    default: 0.0,
  }),
  precision: key(
    Type.Unsafe<32 | '32' | '32-true' | 'bf16' | 'bf16-mixed'>({
      enum: [
        32,
        '32',
        '32-true',
        'bf16',
        'bf16-mixed',
        16,
        '16',
        '16-mixed',
        '16-true',
        'bf16-true',
        64,
        '64',
        '64-true',
      ],
    }),
    {
      description:
        'Number format of matrix multiplications: 32 (float32), or bf16 (bfloat16 inputs with float32 weights and sums, as bf16-mixed). 16 and 16-mixed are read as bf16-mixed.',
      default: 32,
      lacking: {
        accepted: [32, '32', '32-true', 'bf16', 'bf16-mixed'],
        instead: 'write bf16-mixed for 16-bit training, or 32',
      },
    },
  ),
  accelerator: key(nullable(oneOf('cpu', 'gpu', 'cuda', 'auto', 'tpu', 'ipu', 'hpu', 'mps')), {
    description: 'What to train on. auto takes a GPU when there is one. cuda is gpu.',
    default: 'gpu',
    whenAbsent: 'auto',
    versions: '1.0–1.6 wrote the strategy here (accelerator: ddp).',
    lacking: { accepted: ['cpu', 'gpu', 'cuda', 'auto', null], instead: 'write cpu, gpu or auto' },
  }),
  strategy: key(nullable(Type.String()), {
    description: 'How several devices share the work. Here each has a copy of the model and gradients are summed, which is ddp.',
    default: 'auto',
    versions: "Lightning's key; not in NeMo's file.",
    affectsResult: false,
    lacking: {
      accepted: [
        null, 'auto', 'ddp', 'ddp_spawn', 'ddp_fork', 'ddp_notebook', 'dp', 'single_device',
        'ddp_find_unused_parameters_false', 'ddp_find_unused_parameters_true',
      ],
      instead: 'write ddp, or leave it out',
    },
  }), // prettier-ignore
  log_every_n_steps: key(nullable(Type.Integer({ minimum: 0 })), {
    description: 'Steps between two logged values of train_loss and lr. 0 or null: never.',
    default: 1,
    whenAbsent: 50,
    affectsResult: false,
  }),
  val_check_interval: key(batchAmount({ exclusiveMinimum: 0 }), {
    description:
      'When to validate: a fraction of an epoch when written with a dot (0.25 is four times an epoch, 1.0 at its end), a number of batches when written without.',
    default: 1.0,
    fraction: true,
  }),
  check_val_every_n_epoch: key(nullable(Type.Integer({ minimum: 1 })), {
    description: 'Epochs between two validations.',
    default: 1,
    versions: "Lightning's key; not in NeMo's file.",
    lacking: { accepted: [1], instead: 'validation runs in every epoch; val_check_interval says how often' },
  }),
  num_sanity_val_steps: key(Type.Integer({ minimum: -1 }), {
    description: 'Validation batches that are tried before training, so that a fault in them shows at once. -1: all.',
    default: 0,
    whenAbsent: 2,
    affectsResult: false,
  }),
  enable_checkpointing: key(Type.Boolean(), {
    description: "Lightning's own checkpoints. exp_manager writes them, so that this stays false.",
    default: false,
    versions: 'checkpoint_callback in 1.0–1.6.',
    affectsResult: false,
    lacking: { accepted: [false], instead: 'leave it false: exp_manager.create_checkpoint_callback decides' },
  }),
  logger: key(Type.Union([Type.Boolean(), Type.Null()]), {
    description: "Lightning's own logger. exp_manager makes it, so that this stays false.",
    default: false,
    affectsResult: false,
    lacking: { accepted: [false, null], instead: 'leave it false: exp_manager.create_tensorboard_logger decides' },
  }),
  limit_train_batches: batches('training'),
  limit_val_batches: batches('validation'),
  limit_test_batches: batches('test'),
  resume_from_checkpoint: key(anything, {
    description: 'A checkpoint file to go on from.',
    default: null,
    versions: 'Until 1.8.',
    lacking: {
      accepted: [null],
      instead: 'set exp_manager.resume_if_exists=true and exp_manager.explicit_log_dir to its folder',
    },
  }),

  // Lightning's keys that would change a result, at the values where they don't.
  min_epochs: key(nullable(Type.Integer()), {
    description: 'Epochs before early stopping may end training.',
    default: null,
    lacking: { accepted: [null, 0, 1], instead: 'raise exp_manager.early_stopping_callback_params.patience' },
  }),
  min_steps: key(nullable(Type.Integer()), {
    description: 'Steps before early stopping may end training.',
    default: null,
    lacking: { accepted: [null, 0], instead: 'raise exp_manager.early_stopping_callback_params.patience' },
  }),
  max_time: key(anything, {
    description: 'Time after which training ends.',
    default: null,
    lacking: onlyOff('set max_steps; a run can be stopped and goes on later from its checkpoint'),
  }),
  fast_dev_run: key(anything, {
    description: 'Runs a few batches only, without checkpoints.',
    default: false,
    lacking: onlyOff('set trainer.limit_train_batches=1 trainer.limit_val_batches=1 trainer.max_epochs=1', 0),
  }),
  overfit_batches: key(anything, {
    description: 'Trains and validates on the same few batches.',
    default: 0.0,
    lacking: onlyOff('set limit_train_batches, and model.validation_ds.file_path to the training file', 0),
  }),
  gradient_clip_algorithm: key(nullable(Type.String()), {
    description: 'How gradients are clipped: norm.',
    default: null,
    lacking: { accepted: [null, 'norm'], instead: 'write norm: clipping by value is not done here' },
  }),
  sync_batchnorm: key(anything, {
    description: 'For batch normalisation, which BERT has not.',
    default: false,
    affectsResult: false,
    noEffect: 'a BERT encoder has no batch normalisation',
  }),
  reload_dataloaders_every_n_epochs: key(anything, {
    description: 'Makes the data loaders anew.',
    default: 0,
    affectsResult: false,
    noEffect: 'the data does not change while it is trained on',
  }),
  detect_anomaly: key(anything, {
    description: 'Looks for NaN in gradients.',
    default: false,
    affectsResult: false,
    noEffect: 'a loss that is not a number always ends training, with the step and its lines',
  }),
  track_grad_norm: key(anything, {
    description: 'Logs gradient norms.',
    default: -1,
    affectsResult: false,
    noEffect: 'the global norm is logged when gradient_clip_val is set',
  }),
  auto_lr_find: key(anything, {
    description: 'Looks for a learning rate.',
    default: false,
    lacking: onlyOff('sweep over model.optim.lr'),
  }),
  auto_scale_batch_size: key(anything, {
    description: 'Looks for the largest batch that fits.',
    default: false,
    lacking: onlyOff('set model.train_ds.batch_size'),
  }),
  stochastic_weight_avg: key(anything, {
    description: 'Averages weights over the last epochs.',
    default: false,
    lacking: onlyOff('leave it out'),
  }),
  callbacks: key(anything, {
    description: 'Python callbacks.',
    default: null,
    lacking: { accepted: [null, []], instead: 'leave it out: Python code is not run here' },
  }),
  plugins: key(anything, {
    description: 'Python plugins.',
    default: null,
    lacking: { accepted: [null, []], instead: 'leave it out: Python code is not run here' },
  }),
  tpu_cores: key(anything, {
    description: 'TPUs.',
    default: null,
    lacking: onlyOff('set accelerator to cpu or gpu', 0),
  }),
  ipus: key(anything, { description: 'IPUs.', default: null, lacking: onlyOff('set accelerator to cpu or gpu', 0) }),

  // Lightning's keys that change how a run looks, or how fast it is there.
  limit_predict_batches: key(anything, {
    description: 'For prediction only.',
    default: 1.0,
    affectsResult: false,
    noEffect: 'training predicts nothing',
  }),
  enable_progress_bar: key(anything, {
    description: 'The progress bar.',
    default: true,
    affectsResult: false,
    noEffect: 'a terminal gets a bar, a pipe gets lines',
  }),
  progress_bar_refresh_rate: key(anything, {
    description: 'The progress bar.',
    default: null,
    affectsResult: false,
    noEffect: 'a terminal gets a bar, a pipe gets lines',
  }),
  process_position: key(anything, {
    description: 'The progress bar.',
    default: 0,
    affectsResult: false,
    noEffect: 'a terminal gets a bar, a pipe gets lines',
  }),
  enable_model_summary: key(anything, {
    description: 'Prints the layers.',
    default: true,
    affectsResult: false,
    noEffect: noLightning,
  }),
  weights_summary: key(anything, {
    description: 'Prints the layers.',
    default: null,
    affectsResult: false,
    noEffect: noLightning,
  }),
  deterministic: key(anything, {
    description: 'Equal runs give equal results.',
    default: null,
    affectsResult: false,
    noEffect: 'every run is deterministic: nautil.seed',
  }),
  benchmark: key(anything, {
    description: "cuDNN's choice of kernels.",
    default: null,
    affectsResult: false,
    noEffect: noLightning,
  }),
  inference_mode: key(anything, {
    description: "PyTorch's inference mode.",
    default: true,
    affectsResult: false,
    noEffect: noLightning,
  }),
  use_distributed_sampler: key(anything, {
    description: 'How devices divide the data.',
    default: true,
    affectsResult: false,
    noEffect: 'each device gets its share of every batch',
  }),
  replace_sampler_ddp: key(anything, {
    description: 'How devices divide the data.',
    default: true,
    affectsResult: false,
    noEffect: 'each device gets its share of every batch',
  }),
  profiler: key(anything, {
    description: "Lightning's profiler.",
    default: null,
    affectsResult: false,
    noEffect: noLightning,
  }),
  barebones: key(anything, {
    description: 'Measures overhead.',
    default: false,
    affectsResult: false,
    noEffect: noLightning,
  }),
  default_root_dir: key(anything, {
    description: 'Where Lightning writes.',
    default: null,
    affectsResult: false,
    noEffect: 'exp_manager.exp_dir says where files go',
  }),
  weights_save_path: key(anything, {
    description: 'Where Lightning writes.',
    default: null,
    affectsResult: false,
    noEffect: 'exp_manager.exp_dir says where files go',
  }),
  amp_backend: key(anything, {
    description: "PyTorch's or apex's 16-bit training.",
    default: null,
    affectsResult: false,
    noEffect: 'precision says it all',
    versions: 'Lightning 1.x.',
  }),
  amp_level: key(anything, {
    description: "apex's level of 16-bit training.",
    default: null,
    affectsResult: false,
    noEffect: 'precision says it all',
    versions: 'In the file of 1.0 (O0); gone with Lightning 2.',
  }),
  num_processes: key(anything, {
    description: 'Processes on a CPU.',
    default: null,
    affectsResult: false,
    noEffect: 'devices says how many replicas there are',
    versions: 'Lightning 1.x.',
  }),
  auto_select_gpus: key(anything, {
    description: 'Takes GPUs that are free.',
    default: false,
    affectsResult: false,
    noEffect: 'devices names them',
    versions: 'Lightning 1.x.',
  }),
  prepare_data_per_node: key(anything, {
    description: 'Who downloads.',
    default: true,
    affectsResult: false,
    noEffect: noLightning,
    versions: 'Lightning 1.x.',
  }),
  move_metrics_to_cpu: key(anything, {
    description: 'Where metrics are kept.',
    default: false,
    affectsResult: false,
    noEffect: noLightning,
    versions: 'Lightning 1.x.',
  }),
  multiple_trainloader_mode: key(anything, {
    description: 'For several loaders.',
    default: null,
    affectsResult: false,
    noEffect: 'there is one training file',
    versions: 'Lightning 1.x.',
  }),
  flush_logs_every_n_steps: key(anything, {
    description: 'When logs are written.',
    default: null,
    affectsResult: false,
    noEffect: noLightning,
    versions: 'Lightning 1.x.',
  }),
  log_gpu_memory: key(anything, {
    description: 'Logs memory of GPUs.',
    default: null,
    affectsResult: false,
    noEffect: noLightning,
    versions: 'Lightning 1.x.',
  }),
  terminate_on_nan: key(anything, {
    description: 'Ends training when the loss is not a number.',
    default: null,
    affectsResult: false,
    noEffect: 'it always does',
    versions: 'Lightning 1.x.',
  }),
});
