import { Type } from '@sinclair/typebox';
import { ignored, ignoredKeys, key, needing, nullable, oneOf, onlyOff, section } from './key.js';
import { validated } from './needs.js';

/** The values that NeMo logs, and that it can monitor. */
export const nemoMonitors = ['val_loss', 'val_f1', 'val_precision', 'val_recall'] as const;

/** The values that can decide which checkpoint is the best. */
const monitors = [...nemoMonitors, 'val_f1_macro'] as const;

const whatIsMonitored =
  'val_f1, val_precision and val_recall are micro averages, as in NeMo: with one label for each text, all three are the accuracy in percent. val_f1_macro, which NeMo does not have, is the mean F1 of the classes in percent.';

const monitor = (description: string) =>
  key(oneOf(...monitors), {
    description: `${description} ${whatIsMonitored}`,
    affects: 'training',
    default: 'val_loss',
  });
const mode = key(oneOf('min', 'max'), {
  description: 'Whether a lower (min) or a higher (max) value is better.',
  affects: 'training',
  default: 'min',
});
const noLogger = (service: string) => onlyOff(`Logs to ${service}.`, [false, null], mlflowInstead);

const mlflowInstead = 'Nautil tracks runs in MLflow: nautil.mlflow.tracking_uri';
const inLogFolder = 'set exp_manager.explicit_log_dir: checkpoints are in its folder checkpoints';
const nameStart = 'set exp_manager.name, with which the names begin';
const checkpointEvery = 'set nautil.checkpoint_every_n_steps';
const onEachDevice = 'the whole model is on one device';
const noAverage = 'Nautil does not average weights';
const oneProcess = 'one process logs';
const notFinite =
  'a training loss that is not finite always ends training, and a monitored value that is not finite counts as no improvement';

const noExplicitFolder = [{ key: 'exp_manager.explicit_log_dir', is: [null] }] as const;
const resuming = [{ key: 'exp_manager.resume_if_exists', is: [true] }] as const;
const keepingCheckpoints = [{ key: 'exp_manager.create_checkpoint_callback', is: [true] }] as const;
const stoppingEarly = [{ key: 'exp_manager.create_early_stopping_callback', is: [true] }] as const;

/** `exp_manager`: NeMo's manager of folders, loggers and checkpoints. */
export const expManagerSchema = section("Folders, loggers and checkpoints: NeMo's exp_manager.", {
  exp_dir: key(nullable(Type.String()), {
    description: 'Folder that holds the log folders of runs. null: nemo_experiments in the working folder.',
    affects: 'nothing',
    default: null,
    path: 'output',
    needs: [noExplicitFolder],
    versions: 'root_dir before 1.0.',
  }),
  explicit_log_dir: key(nullable(Type.String()), {
    description:
      'The log folder of the run, in place of exp_dir/name/version. If it has files of another run, a numbered folder beside it is used, unless resume_if_exists is true.',
    affects: 'nothing',
    default: null,
    path: 'output',
  }),
  name: key(nullable(Type.String()), {
    description: 'Name of the experiment: of its folder, its checkpoints and its experiment in MLflow.',
    affects: 'nothing',
    default: 'TextClassification',
    whenAbsent: 'default',
  }),
  version: key(nullable(Type.Union([Type.String(), Type.Integer()])), {
    description:
      'Name of the log folder of one run. null: the time, or version_N. If it has files of another run, a numbered folder beside it is used, unless resume_if_exists is true.',
    affects: 'nothing',
    default: null,
    needs: [noExplicitFolder],
  }),
  use_datetime_version: key(nullable(Type.Boolean()), {
    description: 'Names the log folder by the time (2026-01-31_12-00-00). false: version_0, version_1, ….',
    affects: 'nothing',
    default: true,
    needs: [
      noExplicitFolder,
      [{ key: 'exp_manager.version', is: [null] }],
      [{ key: 'exp_manager.resume_if_exists', is: [false] }],
    ],
  }),
  resume_if_exists: key(Type.Boolean(), {
    description:
      'Resumes from the last checkpoint in the log folder. The result is that of a training that was never interrupted.',
    affects: 'nothing',
    default: false,
  }),
  resume_past_end: key(Type.Boolean(), {
    description:
      'Resumes from a checkpoint named …end.ckpt, with which NeMo marks the end of a run. Nautil ends a run with …last.ckpt, which needs no permission.',
    affects: 'nothing',
    default: false,
    needs: [resuming],
  }),
  resume_ignore_no_checkpoint: key(Type.Boolean(), {
    description: 'Starts a new training when resume_if_exists finds no checkpoint, in place of failing.',
    affects: 'nothing',
    default: false,
    needs: [resuming],
  }),
  resume_from_checkpoint: onlyOff(
    'A checkpoint file to resume from.',
    [null],
    'set exp_manager.resume_if_exists=true and explicit_log_dir to its folder',
  ),
  create_tensorboard_logger: key(Type.Boolean(), {
    description: 'Writes TensorBoard event files to the log folder.',
    affects: 'nothing',
    default: true,
  }),
  create_checkpoint_callback: key(Type.Boolean(), {
    description: 'Keeps the best checkpoints, the last one and the .nemo file in the log folder.',
    affects: 'nothing',
    default: true,
  }),
  checkpoint_callback_params: section('Which checkpoints are kept.', {
    monitor: monitor(
      'The value that decides which checkpoint is the best. It is part of the names of checkpoints, where it is 0.0000 before the first validation, as in Lightning.',
    ),
    ...needing(validated, { mode }),
    save_top_k: key(Type.Integer({ minimum: -1 }), {
      description: 'How many of the best checkpoints are kept. -1: all.',
      affects: 'nothing',
      default: 3,
      needs: [
        keepingCheckpoints,
        ...validated,
        [{ key: 'exp_manager.checkpoint_callback_params.every_n_epochs', isNot: [0] }],
      ],
    }),
    save_last: key(nullable(Type.Boolean()), {
      description: 'Keeps the last checkpoint too.',
      affects: 'nothing',
      default: true,
      needs: [keepingCheckpoints],
    }),
    every_n_epochs: key(nullable(Type.Integer({ minimum: 0 })), {
      description: 'Epochs between two checkpoints that may be among the best.',
      affects: 'nothing',
      default: 1,
      needs: [
        keepingCheckpoints,
        ...validated,
        [{ key: 'exp_manager.checkpoint_callback_params.save_top_k', isNot: [0] }],
      ],
    }),
    save_best_model: key(Type.Boolean(), {
      description: 'Evaluates and packages the best weights in place of the last.',
      affects: 'evaluation',
      default: false,
    }),
    always_save_nemo: onlyOff(
      'Writes the .nemo file at every checkpoint.',
      [false, null],
      'leave it false: the .nemo file is written when training ends, and commands read a checkpoint in its place',
    ),
    save_nemo_on_train_end: key(Type.Boolean(), {
      description: 'Writes the .nemo file to the log folder too.',
      affects: 'nothing',
      default: true,
      needs: [keepingCheckpoints],
    }),
    postfix: key(Type.String(), {
      description: 'Ending of the name of the .nemo file in the log folder.',
      affects: 'nothing',
      default: '.nemo',
      needs: [
        keepingCheckpoints,
        [{ key: 'exp_manager.checkpoint_callback_params.save_nemo_on_train_end', is: [true] }],
      ],
    }),
    dirpath: onlyOff('Folder of the checkpoints.', [null], inLogFolder),
    filepath: onlyOff('Path of the checkpoints.', [null], inLogFolder),
    filename: onlyOff('Pattern of the names of checkpoints.', [null], nameStart),
    prefix: onlyOff('Start of the names of checkpoints.', [null], nameStart),
    save_weights_only: onlyOff(
      'Omits the state of the optimizer from checkpoints.',
      [false, null],
      'leave it false: a run cannot resume without that state',
    ),
    every_n_train_steps: onlyOff('Steps between two checkpoints.', [null, 0], checkpointEvery),
    train_time_interval: onlyOff('Time between two checkpoints.', [null], checkpointEvery),
    model_parallel_size: onlyOff('Number of parts that the model is divided into.', [null, 1], onEachDevice),
    ...ignoredKeys("An option of Lightning's checkpoints.", {
      verbose: [true, 'Nautil logs every checkpoint'],
      auto_insert_metric_name: [true, "checkpoints have NeMo's names"],
      save_on_train_epoch_end: [false, 'a checkpoint follows each evaluation'],
    }),
  }),
  create_early_stopping_callback: key(Type.Boolean(), {
    description: 'Ends training when the monitored value stops improving.',
    affects: 'training',
    default: false,
    versions: 'Since 1.9.',
  }),
  early_stopping_callback_params: section('When training ends early.', {
    ...needing([stoppingEarly], {
      monitor: monitor('The monitored value.'),
      mode,
      min_delta: key(Type.Number({ minimum: 0 }), {
        description: 'The smallest change that counts as an improvement.',
        affects: 'training',
        default: 0.001,
      }),
      patience: key(Type.Integer({ minimum: 0 }), {
        description: 'Evaluations without an improvement after which training ends.',
        affects: 'training',
        default: 10,
      }),
    }),
    stopping_threshold: onlyOff('Value at which training ends.', [null], 'set trainer.max_epochs'),
    divergence_threshold: onlyOff('Value at which training is given up.', [null], 'set trainer.max_epochs'),
    check_on_train_epoch_end: onlyOff(
      'Checks before validation.',
      [null, false],
      'leave it out: Nautil checks after each evaluation',
    ),
    ...ignoredKeys("An option of Lightning's early stopping.", {
      verbose: [true, 'Nautil logs every evaluation'],
      strict: [true, 'each evaluation has every value that can be monitored'],
      check_finite: [true, notFinite],
      log_rank_zero_only: [false, oneProcess],
    }),
  }),
  create_mlflow_logger: ignored('Tracks the run in MLflow.', false, 'Nautil always tracks runs in MLflow'),
  mlflow_logger_kwargs: section('Where the run is tracked.', {
    experiment_name: key(nullable(Type.String()), {
      description: 'Name of the experiment in MLflow. nautil.mlflow.experiment takes precedence.',
      affects: 'nothing',
      default: null,
      needs: [[{ key: 'nautil.mlflow.experiment', is: [null] }]],
    }),
    tracking_uri: key(nullable(Type.String()), {
      description: 'Address of the MLflow server. nautil.mlflow.tracking_uri takes precedence.',
      affects: 'nothing',
      default: null,
      needs: [[{ key: 'nautil.mlflow.tracking_uri', is: [null] }]],
    }),
    ...ignoredKeys("An option of Lightning's MLflow logger.", {
      tags: [null, 'Nautil tags runs with the workflow, the model, the data set and digests'],
      save_dir: ['./mlruns', mlflowInstead],
      prefix: ['', 'metrics are named train/loss, val/f1_macro, …'],
      artifact_location: [null, 'the MLflow server chooses the location'],
      run_id: [null, 'a workflow that resumes reopens its own MLflow run'],
      log_model: [false, 'Nautil logs the .nemo file'],
    }),
  }),
  create_wandb_logger: noLogger('Weights & Biases'),
  create_dllogger_logger: noLogger('DLLogger'),
  create_clearml_logger: noLogger('ClearML'),
  create_neptune_logger: noLogger('Neptune'),
  ema: section('A moving average of the weights.', {
    enable: onlyOff('Averages the weights during training.', [false, null], `leave it false: ${noAverage}`),
    ...ignoredKeys('An option of the average.', {
      decay: [0.999, noAverage],
      apply_ema_every_n_steps: [1, noAverage],
      every_n_steps: [1, noAverage],
      start_step: [0, noAverage],
      cpu_offload: [false, noAverage],
      evaluate_ema_weights_instead: [false, noAverage],
      validate_original_weights: [false, noAverage],
    }),
  }),
  max_time_per_run: onlyOff(
    'Time after which training ends.',
    [null],
    'set trainer.max_steps; a run can also be stopped and resumed later',
  ),
  model_parallel_size: onlyOff('Number of parts that the model is divided into.', [null, 1], onEachDevice),
  ...ignoredKeys("An option of NeMo's exp_manager.", {
    summary_writer_kwargs: [null, 'Nautil writes the event files itself'],
    wandb_logger_kwargs: [null, mlflowInstead],
    dllogger_logger_kwargs: [null, mlflowInstead],
    clearml_logger_kwargs: [null, mlflowInstead],
    neptune_logger_kwargs: [null, mlflowInstead],
    create_preemption_callback: [true, 'SIGTERM always makes training write a checkpoint'],
    files_to_copy: [null, 'Nautil keeps the configuration and the report'],
    log_step_timing: [true, 'Nautil always logs the throughput'],
    step_timing_kwargs: [null, 'Nautil always logs the throughput'],
    log_local_rank_0_only: [false, oneProcess],
    log_global_rank_0_only: [false, oneProcess],
    disable_validation_on_resume: [true, 'a resumed run continues where it stopped'],
    seconds_to_sleep: [5, 'there are no other processes to wait for'],
  }),
});
