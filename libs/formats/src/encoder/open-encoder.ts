import type { JsonObject } from '@nautil/contracts';
import { closest } from 'fastest-levenshtein';
import { basename, dirname } from 'node:path';
import { CorruptFile, MissingTensors } from '../errors.js';
import type { Encoder, EncoderLayout, LayoutTensor } from './encoder.js';
import { findConfig, findWeights } from './encoder-files.js';
import { huggingFaceNames } from './hugging-face-names.js';
import { inferEncoderConfig, type ConfigHints, type InferredConfig } from './infer-encoder-config.js';
import { readJsonFile } from '../json.js';
import { isMegatron, readMegatron } from './megatron-checkpoint.js';
import { namedTensors } from '../named-tensors.js';
import { openTensors } from '../open-tensors.js';
import { readNemo } from '../nemo/read-nemo.js';
import type { TorchFile } from '../torch/read-torch-zip.js';
import { openShardedTensors } from '../sharded-tensors.js';
import type { TensorInfo, TensorSource } from '../tensor-source.js';

export interface EncoderToOpen extends ConfigHints {
  /**
   * A folder (Hugging Face's, a repository of the hub's cache, Megatron-LM's), or a file: safetensors, torch.save's,
   * Megatron-LM's, or a `.nemo`.
   */
  readonly path: string;

  readonly layout: EncoderLayout;

  /** Configuration to hold in place of the one that lies with the weights. */
  readonly config?: JsonObject | undefined;
}

/**
 * Opens an encoder's weights and configuration, and checks that they are complete and fit each other.
 *
 * @example
 * const layout = (config, source) => encoderWeights(parseEncoderConfig(config, source));
 * const encoder = await openEncoder({ path: await findEncoder('bert-base-uncased'), layout });
 * const words = await encoder.tensors.readFloat32('embeddings.word_embeddings.weight');
 *
 * @throws what `layout` throws for an architecture that it refuses; MissingTensors with the missing names and the nearest
 * ones present; CorruptFile, FileUnavailable, UnsafePickle, UnsupportedFile
 */
export async function openEncoder(o: EncoderToOpen): Promise<Encoder> {
  const files = await findWeights(o.path);
  const given = o.config ?? (files.config === undefined ? undefined : await readJsonFile(files.config));
  const configName = o.config ? `the configuration for ${files.weights}` : (files.config ?? files.weights);
  // Before the weights, so that a model that isn't supported is refused for what it is, not for a name that it lacks.
  if (given) o.layout(given, configName);
  const found = await openFile(files.weights, o, given);
  try {
    const { tensors, dropped } = fitToLayout(found.tensors, o.layout(found.config, configName), files.weights);
    return { ...found, tensors, dropped: [...found.dropped, ...dropped] };
  } catch (error) {
    await found.close();
    throw error;
  }
}

/** The config.json of the encoder at a path, whether or not weights lie with it; undefined when there is none. */
export async function readEncoderConfig(path: string): Promise<JsonObject | undefined> {
  const file = await findConfig(path);
  return file === undefined ? undefined : readJsonFile(file);
}

/** An encoder whose tensors have their names; whether they are all there is still to be seen. */
async function openFile(path: string, hints: ConfigHints, given: JsonObject | undefined): Promise<Encoder> {
  if (isNemo(path)) {
    const archive = await readNemo(path);
    return closingOnError(archive, async () => {
      const { config, notes } = given ? { config: given, notes: [] } : await archive.encoderConfig(hints);
      return named(archive.tensors, path, { config, notes }, () => archive.close());
    });
  }
  const source = path.endsWith('.index.json') ? await openShardedTensors(path) : await openTensors(path);
  return closingOnError(source, () => {
    if (isTorchFile(source) && isMegatron(source)) return readMegatron(source, path, given, hints);
    if (given) return named(source, path, { config: given, notes: [] }, () => source.close());
    const { names } = huggingFaceNames(source.names(), path);
    const shapes = new Map([...names].map(([name, inFile]) => [name, source.info(inFile).shape]));
    const modelName = `${basename(dirname(path))}/${basename(path)}`;
    return named(source, path, inferEncoderConfig(shapes, path, { modelName, ...hints }), () => source.close());
  });
}

async function closingOnError<T>(source: { close(): Promise<void> }, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    await source.close();
    throw error;
  }
}

function named(source: TensorSource, path: string, config: InferredConfig, close: () => Promise<void>): Encoder {
  const { names, dropped, notes } = huggingFaceNames(source.names(), path);
  return {
    config: config.config,
    notes: [...notes, ...config.notes],
    dropped,
    tensors: renamed(source, names, path, close),
    close,
  };
}

const isNemo = (path: string) => /\.nemo$/i.test(path);

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

const mostNamed = 10;

/** The tensors of the layout, in its order: every one present and of its shape, or an error that says which is not. */
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
      .slice(0, mostNamed)
      .map(({ name }) => (dropped.length > 0 ? `${name} (nearest: ${closest(name, dropped)})` : name));
    if (missing.length > mostNamed) lines.push(`and ${missing.length - mostNamed} more`);
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
