import { stat } from 'node:fs/promises';
import { isJsonObject, type JsonObject, valueAt } from '@nautil/contracts';
import { sha256File } from '@nautil/store';
import { CheckpointError } from '../errors.js';
import { sizeOf } from '../tensor-bytes.js';
import { elementsOf, type TensorDType } from '../tensor-dtype.js';
import { type NemoArchive, readNemo } from './read-nemo.js';

/** The content of a `.nemo` archive, as plain data. */
export interface NemoDescription {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly writtenBy: 'Nautil' | 'NeMo';

  /** The `nemo_version` of the configuration: NeMo's own, or the version that Nautil's archives are compatible with. */
  readonly nemoVersion: string | undefined;
  readonly compressed: boolean;

  /** The `model` section, in NeMo's snake_case. */
  readonly config: JsonObject;

  /** Hugging Face's configuration. Undefined if it can be neither found nor inferred; the notes then contain the reason. */
  readonly encoder: { readonly config: JsonObject | undefined; readonly notes: readonly string[] };

  /** Names by label id. */
  readonly labels: readonly string[] | undefined;

  /** The class of Nautil's tokenizer, or else NeMo's `tokenizer_name`. */
  readonly tokenizer: string | undefined;
  readonly tensors: readonly { name: string; dtype: TensorDType; shape: readonly number[]; sizeBytes: number }[];

  /** The number of elements in all floating-point tensors. */
  readonly parameters: number;
  readonly members: readonly { name: string; sizeBytes: number }[];

  /** The model's scores, and the digests of the inputs of its training. Only Nautil's archives contain them. */
  readonly metrics: JsonObject | undefined;
  readonly lineage: JsonObject | undefined;
}

/**
 * Describes a `.nemo` without reading its weights.
 *
 * @throws CorruptFile, FileUnavailable, UnsafePickle, UnsupportedFile
 */
export async function describeNemo(path: string): Promise<NemoDescription> {
  const archive = await readNemo(path);
  try {
    const { config, record } = archive;
    const tensors = archive.tensors.names().map((name) => {
      const info = archive.tensors.info(name);
      return { name, ...info, sizeBytes: sizeOf(info) };
    });
    const [{ size: sizeBytes }, sha256] = await Promise.all([stat(path), sha256File(path)]);
    return {
      path,
      sizeBytes,
      sha256,
      writtenBy: record ? 'Nautil' : 'NeMo',
      nemoVersion: textAt(config, 'nemo_version'),
      compressed: archive.compressed,
      config,
      encoder: await encoderOf(archive),
      labels: await archive.labels(),
      tokenizer: textAt(record ?? {}, 'tokenizer.name') ?? textAt(config, 'tokenizer.tokenizer_name'),
      tensors,
      parameters: tensors
        .filter(({ dtype }) => floating.has(dtype))
        .reduce((sum, { shape }) => sum + elementsOf(shape), 0),
      members: archive.members,
      metrics: objectAt(record, 'metrics'),
      lineage: objectAt(record, 'lineage'),
    };
  } finally {
    await archive.close();
  }
}

const floating: ReadonlySet<TensorDType> = new Set(['F64', 'F32', 'F16', 'BF16']);

async function encoderOf(archive: NemoArchive): Promise<NemoDescription['encoder']> {
  try {
    return await archive.encoderConfig();
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { config: undefined, notes: [error.message] };
  }
}

function textAt(tree: JsonObject, path: string): string | undefined {
  const value = valueAt(tree, path);
  return typeof value === 'string' ? value : undefined;
}

function objectAt(tree: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = tree?.[key];
  return isJsonObject(value) ? value : undefined;
}
