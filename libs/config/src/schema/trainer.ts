import { Type } from '@sinclair/typebox';
import type { BatchAmount } from '../batch-amount.js';
import { type Affects, ignored, ignoredKeys, key, type Need, nullable, oneOf, onlyOff, section } from './key.js';
import { tested, validated } from './needs.js';

const batchAmount = (limits: object) => Type.Unsafe<BatchAmount>(nullable(Type.Number(limits)));
const limit = (split: string, affects: Affects, needs: readonly Need[] = []) =>
  key(batchAmount({ minimum: 0 }), {
    description: `How much of the ${split} data to use. A number with a dot is a fraction (1.0 is all, 0.5 is half); a number without one is a number of batches (1 is one batch). null: all.`,
    affects,
    default: 1.0,
    fraction: true,
    versions: "Lightning's key; NeMo's file does not have it.",
    needs,
  });

const bar = 'Nautil shows a progress bar on a terminal and prints lines elsewhere';
const noLightning = 'Nautil does not use Lightning';
const folder = 'exp_manager.exp_dir determines the folder';
const onePython = 'leave it out: Nautil does not run Python code';
const patience = 'raise exp_manager.early_stopping_callback_params.patience';
const oneWay = 'the devices of a run share each batch in one way: docs/config.md, trainer.devices';

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
        'The devices of a machine that train together: a number of GPUs (2), a list of their indexes ([0,1]), or -1 for all GPUs; auto is all GPUs, or one device on the processor. Without a GPU, a number of devices of the processor, which share its cores. As in Lightning, each device computes batch_size rows, so that a batch has batch_size rows for each device. A resume on another number of devices keeps the number of rows in a batch, and warns.',
      affects: 'training',
      default: 1,
      whenAbsent: 'auto',
      versions: 'gpus in 1.0–1.6.',
    },
  ),
  num_nodes: key(Type.Integer({ minimum: 1 }), {
    description:
      'How many processes train together, usually one on each machine. Each trains on its own trainer.devices, so that a batch of the run has batch_size examples for each device of each process. A worker of Temporal runs one of them; without Temporal, the same command is started on each machine (nautil.group).',
    affects: 'training',
    default: 1,
  }),
  max_epochs: key(nullable(Type.Integer({ minimum: -1 })), {
    description: 'Passes over the training data. -1 or null: no limit, so that max_steps must be given.',
    affects: 'training',
    default: 100,
    whenAbsent: 1000,
  }),
  max_steps: key(nullable(Type.Integer({ minimum: -1 })), {
    description: 'Optimizer steps after which training ends, even if max_epochs is not reached. -1 or null: no limit.',
    affects: 'training',
    default: -1,
    versions: 'null until 1.8, -1 since 1.9: both mean no limit.',
  }),
  accumulate_grad_batches: key(Type.Integer({ minimum: 1 }), {
    description: 'Number of batches whose gradients are averaged for each optimizer step.',
    affects: 'training',
    default: 1,
  }),
  gradient_clip_val: key(nullable(Type.Number({ minimum: 0 })), {
    description: 'Scales gradients down to this global norm. 0 or null: off.',
    affects: 'training',
    default: 0.0,
  }),
  precision: key(
    Type.Unsafe<32 | '32' | '32-true' | 'bf16' | 'bf16-mixed' | 16 | '16' | '16-mixed'>({
      enum: [
        32, '32', '32-true', 'bf16', 'bf16-mixed', 'auto', 16, '16', '16-mixed', '16-true', 'bf16-true', 64, '64', '64-true',
      ],
    }), // prettier-ignore
    {
      description:
        "Number format of matrix multiplications; weights, sums over tokens and devices, and the optimizer are float32. 32: float32, see nautil.tf32. bf16-mixed (or bf16): bfloat16. 16-mixed (or 16): on a GPU, float16, with the losses multiplied as by torch's GradScaler: a step whose gradients overflow is skipped, and halves the scale; on the processor, bf16-mixed, with a warning. auto: bf16-mixed if the processor that resolves the run has instructions for bfloat16 (AVX512_BF16, AMX), else 32; the run records the one that was chosen.",
      affects: 'training',
      default: 32,
      unsupported: {
        accepted: [32, '32', '32-true', 'bf16', 'bf16-mixed', 16, '16', '16-mixed', 'auto'],
        instead: 'write bf16-mixed or 16-mixed for 16-bit training, or 32',
      },
    },
  ),
  compile: key(Type.Boolean(), {
    description:
      'Compiles the training step with XLA, once for each length of a batch when it first occurs. Batches are padded so that they have at most eight lengths and one number of rows; the run reports the lengths. The steps round differently.',
    affects: 'training',
    default: false,
    versions: 'Neither Lightning nor NeMo has it.',
  }),
  deterministic: key(nullable(Type.Union([Type.Boolean(), oneOf('warn')])), {
    description:
      'Whether a GPU uses only kernels that give the same bits each time, so that a resumed training ends with the bytes of an undisturbed one. null, true or warn: it does. false: it may add gradients of embeddings in any order. On the CPU, every training is deterministic.',
    affects: 'training',
    default: null,
    versions: "Lightning's key, where null and false are the same; NeMo's file does not have it.",
    needs: [[{ key: 'trainer.accelerator', isNot: ['cpu'] }]],
    needsFound: 'a GPU',
  }),
  accelerator: key(nullable(oneOf('cpu', 'gpu', 'cuda', 'auto', 'tpu', 'ipu', 'hpu', 'mps')), {
    description:
      'The kind of device that trains. auto or null: a GPU, or the CPU where TensorFlow cannot use one; the start of the log states why. gpu (or cuda): a GPU, and an error with what is missing where TensorFlow cannot use one.',
    affects: 'training',
    default: 'auto',
    versions: "NeMo's file has gpu. 1.0–1.6 wrote the strategy here (accelerator: ddp).",
    unsupported: { accepted: ['cpu', 'gpu', 'cuda', 'auto', null], instead: 'write cpu, gpu or auto' },
  }),
  strategy: key(nullable(Type.String()), {
    description: 'How several devices share the work.',
    affects: 'nothing',
    default: 'auto',
    versions: "Lightning's key; NeMo's file does not have it.",
    noEffect: oneWay,
    unsupported: {
      accepted: [
        null, 'auto', 'ddp', 'ddp_spawn', 'ddp_fork', 'ddp_notebook', 'dp', 'single_device',
        'ddp_find_unused_parameters_false', 'ddp_find_unused_parameters_true',
      ],
      instead: 'write ddp, or leave it out',
    },
  }), // prettier-ignore
  log_every_n_steps: key(nullable(Type.Integer({ minimum: 0 })), {
    description:
      'Steps between two logged values of train_loss and lr. 0 or null: never. Only a new training can log other steps, so that a change trains again.',
    affects: 'training',
    default: 1,
    whenAbsent: 50,
  }),
  val_check_interval: key(batchAmount({ exclusiveMinimum: 0 }), {
    description:
      'When to validate. A number with a dot is a fraction of an epoch (0.25 is four times per epoch, 1.0 is at its end); a number without one is a number of batches.',
    affects: 'training',
    default: 1.0,
    fraction: true,
    needs: validated,
  }),
  check_val_every_n_epoch: key(nullable(Type.Integer({ minimum: 1 })), {
    description: 'Epochs between two validations.',
    affects: 'nothing',
    default: 1,
    versions: "Lightning's key; NeMo's file does not have it.",
    unsupported: { accepted: [1], instead: 'every epoch is validated; val_check_interval sets how often within it' },
  }),
  num_sanity_val_steps: key(Type.Integer({ minimum: -1 }), {
    description: 'Validation batches that Lightning evaluates before training to find faults early.',
    affects: 'nothing',
    default: 0,
    whenAbsent: 2,
    noEffect: 'Nautil checks every line of the data before training instead',
  }),
  enable_checkpointing: key(Type.Boolean(), {
    description: "Lightning's own checkpoints. exp_manager writes checkpoints, so that this key stays false.",
    affects: 'nothing',
    default: false,
    versions: 'checkpoint_callback in 1.0–1.6.',
    unsupported: { accepted: [false], instead: 'leave it false: exp_manager.create_checkpoint_callback decides' },
  }),
  logger: key(nullable(Type.Boolean()), {
    description: "Lightning's own logger. exp_manager creates the loggers, so that this key stays false.",
    affects: 'nothing',
    default: false,
    unsupported: { accepted: [false, null], instead: 'leave it false: exp_manager.create_tensorboard_logger decides' },
  }),
  limit_train_batches: limit('training', 'training'),
  limit_val_batches: limit('validation', 'training', validated.slice(0, 1)),
  limit_test_batches: limit('test', 'evaluation', tested.slice(0, 1)),
  resume_from_checkpoint: key(Type.Null(), {
    description: 'A checkpoint file to resume from.',
    affects: 'nothing',
    default: null,
    versions: 'Until 1.8.',
    unsupported: {
      accepted: [null],
      instead: 'set exp_manager.resume_if_exists=true and exp_manager.explicit_log_dir to its folder',
    },
  }),

  // Options of Lightning that would change a result: Nautil accepts the values that switch them off.
  min_epochs: onlyOff('Epochs before early stopping may end training.', [null, 0, 1], patience),
  min_steps: onlyOff('Steps before early stopping may end training.', [null, 0], patience),
  max_time: onlyOff(
    'Time after which training ends.',
    [null, false],
    'set max_steps; a run can also be stopped and resumed later from its checkpoint',
  ),
  fast_dev_run: onlyOff(
    'Runs a few batches only, without checkpoints.',
    [false, null, 0],
    'set trainer.limit_train_batches=1 trainer.limit_val_batches=1 trainer.max_epochs=1',
  ),
  overfit_batches: onlyOff(
    'Trains and validates on the same few batches.',
    [0.0, null, false],
    'set limit_train_batches, and model.validation_ds.file_path to the training file',
  ),
  gradient_clip_algorithm: onlyOff(
    'How gradients are clipped: norm.',
    [null, 'norm'],
    'write norm: Nautil does not clip by value',
  ),
  auto_lr_find: onlyOff('Searches for a learning rate.', [false, null], 'sweep over model.optim.lr'),
  auto_scale_batch_size: onlyOff(
    'Searches for the largest batch size that fits.',
    [false, null],
    'set model.train_ds.batch_size',
  ),
  stochastic_weight_avg: onlyOff('Averages weights over the last epochs.', [false, null], 'leave it out'),
  callbacks: onlyOff('Python callbacks.', [null, []], onePython),
  plugins: onlyOff('Python plugins.', [null, []], onePython),
  tpu_cores: onlyOff('TPUs.', [null, false, 0], 'set accelerator to cpu or gpu'),
  ipus: onlyOff('IPUs.', [null, false, 0], 'set accelerator to cpu or gpu'),

  amp_level: {
    ...ignored("apex's level of 16-bit training.", null, 'precision determines the number format'),
    versions: 'In the file of 1.0 (O0); gone with Lightning 2.',
  },
  ...ignoredKeys('An option of PyTorch Lightning.', {
    sync_batchnorm: [false, 'BERT has no batch normalisation'],
    reload_dataloaders_every_n_epochs: [0, 'the data does not change during training'],
    detect_anomaly: [
      false,
      'a training loss that is not finite always ends training, and the error names the step and its lines',
    ],
    track_grad_norm: [-1, 'Nautil logs the global norm when gradient_clip_val is set'],
    limit_predict_batches: [1.0, 'training predicts nothing'],
    enable_progress_bar: [true, bar],
    progress_bar_refresh_rate: [null, bar],
    process_position: [0, bar],
    enable_model_summary: [true, noLightning],
    weights_summary: [null, noLightning],
    benchmark: [null, noLightning],
    inference_mode: [true, noLightning],
    use_distributed_sampler: [true, oneWay],
    replace_sampler_ddp: [true, oneWay],
    profiler: [null, noLightning],
    barebones: [false, noLightning],
    default_root_dir: [null, folder],
    weights_save_path: [null, folder],
    amp_backend: [null, 'precision determines the number format'],
    num_processes: [null, oneWay],
    auto_select_gpus: [false, 'devices selects the GPU'],
    prepare_data_per_node: [true, noLightning],
    move_metrics_to_cpu: [false, noLightning],
    multiple_trainloader_mode: [null, 'there is one training file'],
    flush_logs_every_n_steps: [null, noLightning],
    log_gpu_memory: [null, noLightning],
    terminate_on_nan: [
      null,
      'a training loss or a weight that is not finite always ends training; a validation loss that is not finite does not, and counts as no improvement',
    ],
  }),
});
