import { Type } from '@sinclair/typebox';
import { key, nullable, oneOf, section } from './key.js';

/** `nautil`: what NeMo has no key for. */
export const nautilSchema = section("Nautil's own keys.", {
  seed: key(Type.Integer({ minimum: 0, maximum: 4294967295 }), {
    description: 'Fixes the first weights of the head, the order of examples, and dropout: equal seeds, equal results.',
    default: 42,
  }),
  checkpoint_every_n_steps: key(Type.Integer({ minimum: 0 }), {
    description: 'Optimizer steps between checkpoints that a killed run goes on from. 0: at the ends of epochs only.',
    default: 100,
    affectsResult: false,
  }),
  data: section('Where the data comes from, before it is TSV.', {
    format: key(oneOf('nemo', 'sst-2', 'chemprot', 'imdb', 'thucnews'), {
      description:
        'nemo: TSV files, of model.*_ds.file_path or by their names in source. Else the converter that makes them out of source.',
      default: 'nemo',
    }),
    source: key(nullable(Type.String()), {
      description:
        'A folder, a file, an archive (tar, zip, gz), the http(s) address of a file or an archive, or a data set of the Hugging Face hub (owner/name).',
      default: null,
      path: 'input',
      affectsResult: 'content',
    }),
    sha256: key(nullable(Type.String({ pattern: '^[0-9a-f]{64}$' })), {
      description: 'What the file of source must hash to. A file that was fetched with it is never asked for again.',
      default: null,
      affectsResult: false,
    }),
  }),
  tokenization: section('How text becomes tokens.', {
    mode: key(oneOf('standard', 'nemo'), {
      description: "standard: the tokenizer's own way. nemo: word by word, as NeMo does, which differs for RoBERTa.",
      default: 'standard',
    }),
  }),
  batches: section('How examples become batches.', {
    bucket_by_length: key(Type.Boolean(), {
      description: 'Puts examples of like length together, so that little is padded.',
      default: true,
    }),
    length_multiple: key(Type.Integer({ minimum: 1, maximum: 512 }), {
      description: 'Batches are padded to a multiple of this: fewer shapes to compile.',
      default: 8,
    }),
    nemo_padding: key(Type.Boolean(), {
      description: "NeMo's batches for RoBERTa, in which padding is attended to.",
      default: false,
    }),
  }),
  mlflow: section('Tracking.', {
    tracking_uri: key(nullable(Type.String()), {
      description: 'Address of the MLflow server. null: MLFLOW_TRACKING_URI, else the local one.',
      default: null,
      affectsResult: false,
    }),
    experiment: key(nullable(Type.String()), {
      description: 'Name of the experiment. null: exp_manager.name.',
      default: null,
      affectsResult: false,
    }),
    registered_model_name: key(nullable(Type.String()), {
      description: 'Registers the packaged model under this name. null: no.',
      default: null,
      affectsResult: false,
    }),
  }),
  intra_op_threads: key(Type.Integer({ minimum: 0 }), {
    description: 'Threads of one TensorFlow operation. 0: one for each core.',
    default: 0,
    affectsResult: false,
  }),
  onednn: key(Type.Boolean(), {
    description: "Uses oneDNN's kernels on CPUs: faster, rounds differently.",
    default: true,
  }),
});
