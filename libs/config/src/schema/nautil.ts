import { Type } from '@sinclair/typebox';
import { key, type Need, nullable, oneOf, section } from './key.js';

const together: readonly Need[] = [[{ key: 'trainer.num_nodes', isNot: [1] }]];
const withSource: Need = [{ key: 'nautil.data.source', isNot: [null] }];
const unconverted: Need = [{ key: 'nautil.data.format', isNot: ['sst-2', 'chemprot', 'imdb', 'thucnews'] }];
const tables: Need = [{ key: 'nautil.data.format', isNot: ['nemo', 'sst-2', 'chemprot', 'imdb', 'thucnews'] }];

/** A column of a table, which the configuration may name. */
const column = (what: string) =>
  key(nullable(Type.String({ minLength: 1 })), {
    description: `The column of ${what}. A column of a file without a header has its number, from 1. null: recognised by its name and content, and reported.`,
    affects: 'inputs',
    default: null,
    needs: [tables],
  });

/** `nautil`: keys that NeMo does not have. */
export const nautilSchema = section("Nautil's own keys.", {
  seed: key(Type.Integer({ minimum: 0, maximum: 4294967295 }), {
    description:
      'Determines the initial weights of the head, the order of the examples, and dropout. On a CPU, equal seeds give equal results.',
    affects: 'training',
    default: 42,
  }),
  checkpoint_every_n_steps: key(Type.Integer({ minimum: 0 }), {
    description:
      'Optimizer steps between the checkpoints from which an interrupted run resumes. 0: only at each evaluation and at the end.',
    affects: 'nothing',
    default: 100,
  }),
  data: section('The source of the data, when it is not given as TSV files.', {
    format: key(oneOf('auto', 'nemo', 'table', 'sst-2', 'chemprot', 'imdb', 'thucnews'), {
      description:
        "auto: NeMo's TSV where the files have that format, else a table. nemo: TSV files in NeMo's format, given by model.*_ds.file_path or found by their names in source. table: CSV, TSV, JSON Lines, JSON or Parquet, each of which gzip may have packed, or a folder of texts for each class. Any other value names the converter that turns source into TSV files.",
      affects: 'inputs',
      default: 'auto',
    }),
    source: key(nullable(Type.String()), {
      description:
        'A folder, a file, an archive (tar, zip, gz), the http(s) address of a file or an archive, or a data set on the Hugging Face hub (owner/name).',
      affects: 'inputs',
      default: null,
      path: 'name',
      needs: [
        [
          { key: 'model.train_ds.file_path', is: [null] },
          { key: 'model.validation_ds.file_path', is: [null] },
          { key: 'model.test_ds.file_path', is: [null] },
          { key: 'model.class_labels.class_labels_file', is: [null] },
        ],
      ],
    }),
    sha256: key(nullable(Type.String({ pattern: '^[0-9a-f]{64}$' })), {
      description:
        'The SHA-256 that the file of source must have. A file that was downloaded with this digest is never downloaded again.',
      affects: 'nothing',
      default: null,
      needs: [withSource],
      rejectedUnmet:
        'name the file to verify as nautil.data.source, or leave sha256 out: files of model.*_ds.file_path are not verified',
    }),
    subset: key(nullable(Type.String({ minLength: 1 })), {
      description:
        'The folder in source that has the tables, of a data set with several of them (a subset or configuration on the Hugging Face hub).',
      affects: 'inputs',
      default: null,
      needs: [withSource, tables],
    }),
    text_column: column('the texts'),
    text_pair_column: column('the second texts, which the encoder reads as the second segment'),
    label_column: column('the labels, which may be text, numbers or booleans'),
    validation_fraction: key(nullable(Type.Number({ minimum: 0, maximum: 0.9 })), {
      description:
        "The share of each class of the training data that becomes the validation set, if there is none. The examples are chosen by nautil.seed, and copies of a text stay together. 0: no validation set. null: 0.1 of a table, and none of NeMo's TSV.",
      affects: 'inputs',
      default: null,
      needs: [unconverted, [{ key: 'model.validation_ds.file_path', is: [null] }]],
      needsFound: 'data without a validation set',
    }),
    sample: key(nullable(oneOf('random', 'first')), {
      description:
        "Which examples model.*_ds.num_samples takes. random: chosen by nautil.seed. first: the first ones, as in NeMo. null: random of a table, and first of NeMo's TSV.",
      affects: 'inputs',
      default: null,
      needs: [
        unconverted,
        [
          { key: 'model.train_ds.num_samples', isNot: [-1, 0] },
          { key: 'model.validation_ds.num_samples', isNot: [-1, 0] },
          { key: 'model.test_ds.num_samples', isNot: [-1, 0] },
        ],
      ],
      needsFound: 'fewer samples than examples',
    }),
    relabel: key(Type.Boolean(), {
      description:
        'Numbers the labels 0, 1, 2, … in ascending order of those in the whole training file, for labels with gaps or below 0. The class names stay with their labels; without a file of names, the labels become the names. The model answers with the new numbers and the names.',
      affects: 'inputs',
      default: false,
      needsFound: "labels with gaps or below 0 in NeMo's TSV; otherwise it only names the classes by their labels",
    }),
  }),
  tokenization: section('How text becomes tokens.', {
    mode: key(oneOf('standard', 'nemo'), {
      description:
        'standard: the tokenizer splits the whole text. nemo: it splits word by word, as NeMo does, which gives other tokens for RoBERTa.',
      affects: 'training',
      default: 'standard',
    }),
  }),
  batches: section('How examples become batches.', {
    bucket_by_length: key(Type.Boolean(), {
      description:
        'Puts examples of similar length into one batch, which reduces padding. Only shuffled data with 8 or more full batches in an epoch is grouped.',
      affects: 'training',
      default: true,
      needs: [
        [
          { key: 'model.train_ds.shuffle', is: [true] },
          { key: 'model.validation_ds.shuffle', is: [true] },
          { key: 'model.test_ds.shuffle', is: [true] },
        ],
      ],
      needsFound: '8 or more full batches in an epoch of shuffled data',
    }),
    length_multiple: key(Type.Integer({ minimum: 1, maximum: 512 }), {
      description: 'Pads batches to a multiple of this length. 1: to the length of their longest text.',
      affects: 'training',
      default: 1,
    }),
    nemo_padding: key(Type.Boolean(), {
      description: 'Pads batches as NeMo does: RoBERTa attends to the padding up to the longest text of the batch.',
      affects: 'training',
      default: false,
      needsFound: 'a padding token whose id is not 0',
    }),
  }),
  group: section('The processes that train a run together, if trainer.num_nodes is more than 1.', {
    members: key(
      nullable(
        Type.Array(Type.String({ pattern: '^(\\[[0-9a-fA-F:.]+\\]|[^\\s:/[\\]]+):\\d{1,5}$', title: 'host:port' }), {
          minItems: 2,
          uniqueItems: true,
        }),
      ),
      {
        description:
          'host:port of each process, for a training without Temporal; the first one writes checkpoints and packages the model. Every process listens on its own port and connects to the others. Its index in the list is RANK, NODE_RANK, GROUP_RANK, SLURM_PROCID or SLURM_NODEID. null: from the variables of torchrun (MASTER_ADDR, MASTER_PORT, all processes on one machine) or of SLURM (SLURM_JOB_NODELIST, SLURM_JOB_ID, one process on each node). Workers of Temporal report their own addresses in place of these.',
        affects: 'nothing',
        default: null,
        needs: together,
      },
    ),
    join_timeout_s: key(Type.Integer({ minimum: 1, maximum: 86_400 }), {
      description:
        'Seconds that the processes wait for one another at the start. Then the training fails, and names those that are missing.',
      affects: 'nothing',
      default: 300,
      needs: together,
    }),
    step_timeout_s: key(Type.Integer({ minimum: 1, maximum: 86_400 }), {
      description:
        'Seconds without an answer of a process to the others, which ask it all the time, after which it counts as lost. The training then fails, and names it. A process that has ended is noticed at once.',
      affects: 'nothing',
      default: 60,
      needs: together,
    }),
  }),
  mlflow: section('Tracking in MLflow.', {
    tracking_uri: key(nullable(Type.String()), {
      description:
        'Address of the MLflow server. null: that of exp_manager.mlflow_logger_kwargs, else MLFLOW_TRACKING_URI, else the local server.',
      affects: 'nothing',
      default: null,
    }),
    experiment: key(nullable(Type.String()), {
      description:
        'Name of the experiment in MLflow. null: that of exp_manager.mlflow_logger_kwargs, else exp_manager.name.',
      affects: 'nothing',
      default: null,
    }),
    registered_model_name: key(nullable(Type.String()), {
      description: 'Registers the packaged model in MLflow under this name. null: does not register it.',
      affects: 'nothing',
      default: null,
    }),
  }),
  archive: section('The packaged .nemo.', {
    loss_weight: key(Type.Boolean(), {
      description:
        'Writes the class weights of class_balancing=weighted_loss into the archive as loss.weight, as NeMo does. NeMo refuses to restore such an archive strictly.',
      affects: 'package',
      default: false,
      needs: [[{ key: 'model.dataset.class_balancing', is: ['weighted_loss'] }]],
    }),
  }),
  tf32: key(Type.Boolean(), {
    description:
      "Whether a GPU may round the inputs of float32 matrix multiplications to TF32, which has 10 bits in place of 23, and is faster: true is torch.set_float32_matmul_precision('high'), false is 'highest'.",
    affects: 'training',
    default: true,
    needs: [[{ key: 'trainer.accelerator', isNot: ['cpu'] }]],
    needsFound: 'a GPU with TF32 (compute capability 8.0 or later)',
  }),
  loss_scale: key(Type.Number({ exclusiveMinimum: 0, maximum: 2 ** 64 }), {
    description:
      "The first factor of the losses in float16: init_scale of torch's GradScaler. It is halved after each step that is skipped, and doubled after 2000 steps in a row that are not.",
    affects: 'training',
    default: 65536,
    needs: [[{ key: 'trainer.precision', is: ['16-mixed', 16, '16'] }]],
    needsFound: 'a GPU',
  }),
  intra_op_threads: key(Type.Integer({ minimum: 0 }), {
    description: 'Threads that TensorFlow uses for one operation. 0: one per core. Sums may round differently.',
    affects: 'training',
    default: 0,
  }),
  onednn: key(Type.Boolean(), {
    description: "Uses oneDNN's kernels on CPUs. They round differently from TensorFlow's own.",
    affects: 'training',
    default: true,
  }),
});
