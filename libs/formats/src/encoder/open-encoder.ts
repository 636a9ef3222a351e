import { basename, dirname } from 'node:path';
import { closest } from 'fastest-levenshtein';
import type { JsonObject } from '@nautil/contracts';
import { CorruptFile, MissingTensors, UnsupportedFile } from '../errors.js';
import { readJsonFile } from '../json.js';
import { namedTensors } from '../named-tensors.js';
import { readNemo } from '../nemo/read-nemo.js';
import { openTensors } from '../open-tensors.js';
import { openShardedTensors } from '../sharded-tensors.js';
import type { TensorInfo, TensorSource } from '../tensor-source.js';
import type { TorchFile } from '../torch/read-torch-zip.js';
import type { Encoder, EncoderLayout, LayoutTensor } from './encoder.js';
import { findConfig, findWeights, isNemo, type WeightFiles } from './encoder-files.js';
import { huggingFaceNames } from './hugging-face-names.js';
import { type ConfigHints, inferEncoderConfig, type InferredConfig } from './infer-encoder-config.js';
import { isMegatron, readMegatron } from './megatron-checkpoint.js';

export interface EncoderToOpen extends ConfigHints {
  /**
   * A folder (a Hugging Face model, a repository of its cache, a Megatron-LM checkpoint), or a file: safetensors, torch.save,
   * Megatron-LM, or a `.nemo` archive.
   */
  readonly path: string;

  readonly layout: EncoderLayout;

  /** Replaces the configuration found next to the weights. */
  readonly config?: JsonObject | undefined;

  /** A model whose configuration is used if `config` is not given, when `path` is a checkpoint of that architecture. */
  readonly architectureFrom?: string | undefined;
}

/**
 * Opens an encoder's weights and configuration, and checks that the weights are complete and fit the configuration.
 *
 * @example
 * const encoder = await openEncoder({ path: await findEncoder('bert-base-uncased'), layout: encoderLayout });
 * const words = await encoder.tensors.readFloat32('embeddings.word_embeddings.weight');
 * await encoder.close();
 *
 * @throws what `layout` throws for an architecture that is not supported; MissingTensors with the missing names and the
 * nearest present ones; CorruptFile, FileUnavailable, UnsafePickle, UnsupportedFile
 */
export async function openEncoder(o: EncoderToOpen): Promise<Encoder> {
  const files = await findWeights(o.path);
  const { config: given, source } = await findGivenConfig(o, files);
  // Checked before the weights, so that the error names the architecture and not a missing tensor.
  const layout = given && o.layout(given, source);
  const found = await openFile(files.weights, o, given, layout?.wordEmbeddings);
  return closingOnError(found, () => {
    const { tensors, dropped } = fitToLayout(
      found.tensors,
      (layout ?? o.layout(found.config, source)).tensors,
      files.weights,
    );
    return { ...found, tensors, dropped: [...found.dropped, ...dropped] };
  });
}

/** The configuration that is not inferred from the weights, and what error messages call it. */
async function findGivenConfig(
  o: EncoderToOpen,
  { weights, config }: WeightFiles,
): Promise<{ config: JsonObject | undefined; source: string }> {
  if (o.config) return { config: o.config, source: `the configuration for ${weights}` };
  if (o.architectureFrom !== undefined) {
    const file = await findConfig(o.architectureFrom);
    if (file !== undefined) return { config: await readJsonFile(file), source: file };
  }
  return { config: config === undefined ? undefined : await readJsonFile(config), source: config ?? weights };
}

/**
 * Opens a file under Hugging Face's names. Does not check whether all tensors are there.
 *
 * @param words - the name of the word embeddings by the given configuration
 */
async function openFile(
  path: string,
  hints: ConfigHints,
  given: JsonObject | undefined,
  words: string | undefined,
): Promise<Encoder> {
  if (isNemo(path)) {
    const archive = await readNemo(path);
    return closingOnError(archive, async () => {
      const { config, notes } = given ? { config: given, notes: [] } : await archive.encoderConfig(hints);
      return withHuggingFaceNames(archive.tensors, path, { config, notes }, words, () => archive.close());
    });
  }
  const source = path.endsWith('.index.json') ? await openShardedTensors(path) : await openTensors(path);
  return closingOnError(source, () => {
    if (isTorchFile(source) && isMegatron(source)) return readMegatron(source, path, given, hints);
    if (given) return withHuggingFaceNames(source, path, { config: given, notes: [] }, words, () => source.close());
    const { names } = huggingFaceNames(source.names(), path);
    const shapes = new Map([...names].map(([name, inFile]) => [name, source.info(inFile).shape]));
    const modelName = `${basename(dirname(path))}/${basename(path)}`;
    const inferred = inferredWithoutFile(path, () => inferEncoderConfig(shapes, path, { modelName, ...hints }));
    return withHuggingFaceNames(source, path, inferred, undefined, () => source.close());
  });
}

/** What can be read off the weights of a file without a config.json beside it, whose name comes first in notes and errors. */
function inferredWithoutFile(path: string, infer: () => InferredConfig): InferredConfig {
  const lack = `there is no config.json in ${dirname(path)}`;
  try {
    const { config, notes } = infer();
    return { config, notes: [`${lack}; with it, nothing would have to be guessed`, ...notes] };
  } catch (error) {
    if (!(error instanceof MissingTensors || error instanceof UnsupportedFile)) throw error;
    throw new UnsupportedFile(dirname(path), 'there is no config.json in this folder', {
      hint: `copy the config.json of the model into it; without it: ${error.message}`,
      cause: error,
    });
  }
}

async function closingOnError<T>(source: { close(): Promise<void> }, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    await source.close();
    throw error;
  }
}

function withHuggingFaceNames(
  source: TensorSource,
  path: string,
  config: InferredConfig,
  words: string | undefined,
  close: () => Promise<void>,
): Encoder {
  const { names, dropped, notes } = huggingFaceNames(source.names(), path, words);
  return {
    config: config.config,
    notes: [...notes, ...config.notes],
    dropped,
    tensors: renamed(source, names, path, close),
    close,
  };
}

function isTorchFile(source: TensorSource): source is TorchFile {
  return 'root' in source;
}

interface RenamedEntry extends TensorInfo {
  readonly from: string;
}

function renamed(
  source: TensorSource,
  names: ReadonlyMap<string, string>,
  path: string,
  close: () => Promise<void>,
): TensorSource {
  const tensors = new Map<string, RenamedEntry>();
  for (const [name, from] of names) tensors.set(name, { ...source.info(from), from });
  return namedTensors({
    format: source.format,
    name: path,
    metadata: source.metadata,
    tensors,
    read: ({ from }) => source.read(from),
    close,
  });
}

const maxNamesShown = 10;

/** The tensors of the layout, in its order. Throws if one is missing or has another shape. */
function fitToLayout(
  source: TensorSource,
  layout: readonly LayoutTensor[],
  path: string,
): { tensors: TensorSource; dropped: string[] } {
  const present = new Set(source.names());
  const wanted = new Set(layout.map(({ name }) => name));
  const dropped = [...present].filter((name) => !wanted.has(name));
  const missing = layout.filter(({ name, used }) => used && !present.has(name));
  if (missing.length > 0) {
    const lines = missing
      .slice(0, maxNamesShown)
      .map(({ name }) => (dropped.length > 0 ? `${name} (nearest: ${closest(name, dropped)})` : name));
    if (missing.length > maxNamesShown) lines.push(`and ${missing.length - maxNamesShown} more`);
    throw new MissingTensors(path, `${missing.length} of the encoder's ${layout.length} tensors are missing`, {
      hint: lines.join('\n'),
    });
  }
  const names = new Map<string, string>();
  for (const { name, shape } of layout) {
    if (!present.has(name)) continue;
    const found = source.info(name).shape;
    if (found.join() !== shape.join()) {
      throw new CorruptFile(
        path,
        `${name} is [${found.join(', ')}], the configuration makes it [${shape.join(', ')}]`,
        {
          hint: 'are the weights and the configuration those of one model?',
        },
      );
    }
    names.set(name, name);
  }
  return { tensors: renamed(source, names, path, () => source.close()), dropped };
}
