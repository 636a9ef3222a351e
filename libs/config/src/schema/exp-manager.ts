import type { JsonValue } from '@nautil/contracts';
import { Type } from '@sinclair/typebox';
import { anything, key, nullable, oneOf, section } from './key.js';

/** What a run can be judged by: the names that NeMo logs. */
export const monitors = ['val_loss', 'val_f1', 'val_precision', 'val_recall'] as const;

const off = (what: string, instead: string) =>
  key(anything, {
    description: what,
    default: false,
    affectsResult: false,
    lacking: { accepted: [false, null], instead },
  });
const only = (what: string, accepted: JsonValue[], instead: string) =>
  key(anything, {
    description: what,
    default: accepted[0] ?? null,
    affectsResult: false,
    lacking: { accepted, instead },
  });
const ignored = (what: string, value: JsonValue, why: string) =>
  key(anything, { description: what, default: value, affectsResult: false, noEffect: why });

const mlflowInstead = 'runs are tracked in MLflow: nautil.mlflow.tracking_uri';

/** `exp_manager`: NeMo's manager of folders, loggers and checkpoints. */
export const expManagerSchema = section("Folders, loggers and checkpoints: NeMo's exp_manager.", {
  exp_dir: key(nullable(Type.String()), {
    description: 'Folder that the folders of runs are made in. null: nemo_experiments where you stand.',
    default: null,
    path: 'output',
    affectsResult: false,
    versions: 'root_dir before 1.0.',
  }),
  explicit_log_dir: key(nullable(Type.String()), {
    description: 'The folder itself, in place of exp_dir/name/version.',
    default: null,
    path: 'output',
    affectsResult: false,
  }),
  name: key(nullable(Type.String()), {
    description: 'Name of the experiment: of its folder, its checkpoints and its experiment in MLflow.',
    default: 'TextClassification',
    whenAbsent: 'default',
    affectsResult: false,
  }),
  version: key(nullable(Type.Union([Type.String(), Type.Integer()])), {
    description: 'Name of the folder of one run. null: the time, or version_N.',
    default: null,
    affectsResult: false,
  }),
  use_datetime_version: key(nullable(Type.Boolean()), {
    description: 'Names the folder by the time (2026-01-31_12-00-00); false: version_0, version_1, ….',
    default: true,
    affectsResult: false,
  }),
  resume_if_exists: key(Type.Boolean(), {
    description: 'Goes on from the last checkpoint in the folder.',
    default: false,
    affectsResult: false,
  }),
  resume_past_end: key(Type.Boolean(), {
    description: 'Goes on although the checkpoint is that of a finished run.',
    default: false,
    affectsResult: false,
  }),
  resume_ignore_no_checkpoint: key(Type.Boolean(), {
    description: 'Starts anew when resume_if_exists finds nothing, where it would fail.',
    default: false,
    affectsResult: false,
  }),
  resume_from_checkpoint: only(
    'A checkpoint file to go on from.',
    [null],
    'set exp_manager.resume_if_exists=true and explicit_log_dir to its folder',
  ),
  create_tensorboard_logger: key(Type.Boolean(), {
    description: 'Writes TensorBoard event files.',
    default: true,
    affectsResult: false,
  }),
  summary_writer_kwargs: ignored('Options of the TensorBoard writer.', null, 'event files are written as they come'),
  create_checkpoint_callback: key(Type.Boolean(), {
    description: 'Writes checkpoints at the ends of epochs, best and last, and the .nemo.',
    default: true,
    affectsResult: false,
  }),
  checkpoint_callback_params: section('Which checkpoints are kept.', {
    monitor: key(oneOf(...monitors), { description: 'What the best is judged by.', default: 'val_loss' }),
    mode: key(oneOf('min', 'max'), { description: 'Whether less or more of it is better.', default: 'min' }),
    save_top_k: key(Type.Integer({ minimum: -1 }), {
      description: 'How many of the best are kept. -1: all.',
      default: 3,
      affectsResult: false,
    }),
    save_last: key(nullable(Type.Boolean()), {
      description: 'Keeps the last one too.',
      default: true,
      affectsResult: false,
    }),
    every_n_epochs: key(nullable(Type.Integer({ minimum: 0 })), {
      description: 'Epochs between two of them.',
      default: 1,
      affectsResult: false,
    }),
    save_best_model: key(Type.Boolean(), {
      description: 'Packages the best weights into the .nemo, not the last.',
      default: false,
    }),
    always_save_nemo: only(
      'Writes the .nemo at every checkpoint.',
      [false, null],
      'leave it false: the .nemo is written when training ends, and a checkpoint does in its place',
    ),
    save_nemo_on_train_end: key(Type.Boolean(), {
      description: 'Writes the .nemo when training ends.',
      default: true,
      affectsResult: false,
    }),
    postfix: key(Type.String(), {
      description: 'Ending of the name of the .nemo.',
      default: '.nemo',
      affectsResult: false,
    }),
    verbose: ignored('Says when one is written.', true, 'checkpoints are always said'),
    auto_insert_metric_name: ignored(
      'Puts the name of the metric into that of the file.',
      true,
      'names are those of NeMo',
    ),
    dirpath: only(
      'Folder of the checkpoints.',
      [null],
      'set exp_manager.explicit_log_dir; they are in its folder checkpoints',
    ),
    filepath: only(
      'Path of the checkpoints.',
      [null],
      'set exp_manager.explicit_log_dir; they are in its folder checkpoints',
    ),
    filename: only('Pattern of their names.', [null], 'set exp_manager.name, with which the names begin'),
    prefix: only('Start of their names.', [null], 'set exp_manager.name, with which the names begin'),
    save_weights_only: only(
      'Leaves out the state of the optimizer.',
      [false, null],
      'leave it false: without that state a run can not go on',
    ),
    every_n_train_steps: only('Steps between two of them.', [null, 0], 'set nautil.checkpoint_every_n_steps'),
    train_time_interval: only('Time between two of them.', [null], 'set nautil.checkpoint_every_n_steps'),
    save_on_train_epoch_end: ignored('Writes before validation.', false, 'a checkpoint follows each evaluation'),
    model_parallel_size: only('Parts of a model that is divided.', [null, 1], 'the model is whole on every device'),
  }),
  create_early_stopping_callback: key(Type.Boolean(), {
    description: 'Ends training when the monitored value gets no better.',
    default: false,
    versions: 'Since 1.9.',
  }),
  early_stopping_callback_params: section('When training ends early.', {
    monitor: key(oneOf(...monitors), { description: 'What is looked at.', default: 'val_loss' }),
    mode: key(oneOf('min', 'max'), { description: 'Whether less or more of it is better.', default: 'min' }),
    min_delta: key(Type.Number({ minimum: 0 }), { description: 'What counts as better.', default: 0.001 }),
    patience: key(Type.Integer({ minimum: 0 }), { description: 'Evaluations without anything better.', default: 10 }),
    verbose: ignored('Says what it sees.', true, 'it always does'),
    strict: ignored('Fails when the value is not there.', true, 'it always does'),
    check_finite: ignored('Ends when the value is not a number.', true, 'it always does'),
    stopping_threshold: only('Value at which to end.', [null], 'set trainer.max_epochs'),
    divergence_threshold: only('Value at which to give up.', [null], 'set trainer.max_epochs'),
    check_on_train_epoch_end: only(
      'Looks before validation.',
      [null, false],
      'leave it out: it looks after each evaluation',
    ),
    log_rank_zero_only: ignored('Who says it.', false, 'one process does'),
  }),
  create_mlflow_logger: ignored('Tracks the run in MLflow.', false, 'runs are always tracked in MLflow'),
  mlflow_logger_kwargs: section('Where the run is tracked.', {
    experiment_name: key(nullable(Type.String()), {
      description: 'Name of the experiment; nautil.mlflow.experiment goes before it.',
      default: null,
      affectsResult: false,
    }),
    tracking_uri: key(nullable(Type.String()), {
      description: 'Address of the server; nautil.mlflow.tracking_uri goes before it.',
      default: null,
      affectsResult: false,
    }),
    tags: ignored('Tags of the run.', null, 'runs are tagged with workflow, commit and data'),
    save_dir: ignored('Folder of runs.', './mlruns', mlflowInstead),
    prefix: ignored('Start of the names of metrics.', '', 'names are train/loss, val/f1_macro, …'),
    artifact_location: ignored('Where artifacts go.', null, "the server's own place is used"),
    run_id: ignored('A run to go on with.', null, 'a workflow goes on with its own run'),
    log_model: ignored('Logs checkpoints.', false, 'the .nemo is logged'),
  }),
  create_wandb_logger: off('Logs to Weights & Biases.', mlflowInstead),
  wandb_logger_kwargs: ignored('Options of Weights & Biases.', null, mlflowInstead),
  create_dllogger_logger: off('Logs to DLLogger.', mlflowInstead),
  dllogger_logger_kwargs: ignored('Options of DLLogger.', null, mlflowInstead),
  create_clearml_logger: off('Logs to ClearML.', mlflowInstead),
  clearml_logger_kwargs: ignored('Options of ClearML.', null, mlflowInstead),
  create_neptune_logger: off('Logs to Neptune.', mlflowInstead),
  neptune_logger_kwargs: ignored('Options of Neptune.', null, mlflowInstead),
  ema: section('Moving average of the weights.', {
    enable: off('Averages the weights while they are trained.', 'leave it false: weights are not averaged here'),
    decay: ignored('Decay of the average.', 0.999, 'weights are not averaged here'),
    apply_ema_every_n_steps: ignored('Steps between two averages.', 1, 'weights are not averaged here'),
    every_n_steps: ignored('Steps between two averages.', 1, 'weights are not averaged here'),
    start_step: ignored('Step to start at.', 0, 'weights are not averaged here'),
    cpu_offload: ignored('Keeps the average in main memory.', false, 'weights are not averaged here'),
    evaluate_ema_weights_instead: ignored('Validates the average.', false, 'weights are not averaged here'),
    validate_original_weights: ignored('Validates the weights themselves.', false, 'weights are not averaged here'),
  }),
  max_time_per_run: only(
    'Time after which training ends.',
    [null],
    'set trainer.max_steps; a run can be stopped and goes on later',
  ),
  create_preemption_callback: ignored(
    'Saves before the machine is taken away.',
    true,
    'SIGTERM always leaves a checkpoint',
  ),
  files_to_copy: ignored('Files to keep with the run.', null, 'the configuration and the report are kept'),
  log_step_timing: ignored('Logs the time of a step.', true, 'throughput is always logged'),
  step_timing_kwargs: ignored('Options of the timing.', null, 'throughput is always logged'),
  log_local_rank_0_only: ignored('Who logs.', false, 'one process logs'),
  log_global_rank_0_only: ignored('Who logs.', false, 'one process logs'),
  disable_validation_on_resume: ignored('No validation right after resuming.', true, 'a run goes on where it was'),
  model_parallel_size: only('Parts of a model that is divided.', [null, 1], 'the model is whole on every device'),
  seconds_to_sleep: ignored('Waiting of other ranks.', 5, 'nobody waits by the clock'),
});
