import { isJsonObject, type JsonObject, type JsonValue, valueAt } from '@nautil/contracts';
import { type ByteSource, openByteSource, sha256OfSource } from '../byte-source.js';
import { type ConfigHints, inferEncoderConfig, type InferredConfig } from '../encoder/infer-encoder-config.js';
import { CorruptFile, UnsupportedFile } from '../errors.js';
import { parseJsonObject } from '../json.js';
import { readTensors } from '../open-tensors.js';
import type { TensorSource } from '../tensor-source.js';
import { gunzip } from './gunzip.js';
import { parseNemoYaml } from './nemo-yaml.js';
import { readTarDirectory, type TarMember } from './tar.js';

/** An archive of NeMo's text classification model, open for reading. */
export interface NemoArchive {
  readonly path: string;

  /** True for gzip, which NeMo used up to version 1.6. */
  readonly compressed: boolean;

  /** The `model` section of the configuration, in NeMo's snake_case. */
  readonly config: JsonObject;

  /** Nautil's own record of the run (`nautil.json`), not validated. Undefined in NeMo's archives. */
  readonly record: JsonObject | undefined;

  /** Dotted keys of the configuration whose values are files in the archive, such as `tokenizer.vocab_file`. */
  readonly artifactNames: readonly string[];

  /** All file members, by path. */
  readonly members: readonly { name: string; sizeBytes: number }[];

  /** The weights under NeMo's names: `bert_model.…`, `classifier.mlp.layer0.weight` …, possibly `loss.weight`. */
  readonly tensors: TensorSource;

  /** The content of the file that a configuration key refers to. Undefined if the key refers to no file. */
  artifact(key: string): Promise<Uint8Array | undefined>;

  /** The SHA-256 digest of a member's content, as 64 hex digits. */
  sha256(member: string): Promise<string>;

  /** Names by label id, from Nautil's record or else the labels file. Undefined if there is neither. */
  labels(): Promise<string[] | undefined>;

  /** The encoder's Hugging Face configuration. If the archive has none, it is inferred from the weights, with notes. */
  encoderConfig(hints?: ConfigHints): Promise<InferredConfig>;

  close(): Promise<void>;
}

export const configMember = 'model_config.yaml';
export const weightsMember = 'model_weights.ckpt';
export const recordMember = 'nautil.json';

/** The class name at the end of `target` in supported archives. Older archives have no target. */
const classifier = 'TextClassificationModel';

/** The record of an XLM-R has 25 MB. */
const largestArtifact = 128 << 20;

/**
 * Opens a `.nemo` archive (a tar, gzipped up to NeMo 1.6). Weights are read in place; only a gzipped archive is unpacked,
 * to a temporary file.
 *
 * @throws CorruptFile, UnsafePickle, UnsupportedFile
 */
export async function readNemo(path: string): Promise<NemoArchive> {
  const file = await openByteSource(path);
  const source = await plainTar(file);
  try {
    return await openArchive(source, path, source !== file);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function plainTar(source: ByteSource): Promise<ByteSource> {
  try {
    const start = await source.read(0, Math.min(2, source.size));
    if (start[0] !== 0x1f || start[1] !== 0x8b) return source;
    const content = await gunzip(source);
    await source.close();
    return content;
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openArchive(source: ByteSource, path: string, compressed: boolean): Promise<NemoArchive> {
  const members = await readTarDirectory(source);
  const configFile = members.get(configMember);
  if (!configFile) {
    throw new UnsupportedFile(path, `there is no ${configMember} in it`, {
      hint: 'a .nemo archive is a tar of model_config.yaml and model_weights.ckpt',
    });
  }
  const config = unwrap(parseNemoYaml(await wholeMember(configFile), configFile.content.name));
  const target = config['target'];
  if (typeof target === 'string' && !target.endsWith(`.${classifier}`)) {
    throw new UnsupportedFile(path, `its model is ${target.slice(target.lastIndexOf('.') + 1)}, not ${classifier}`, {
      hint: `its target is ${target}; only NeMo's text classification models are supported`,
    });
  }
  const record = members.get(recordMember);
  const artifacts = new Map(findArtifacts(config, ''));
  const tensors = await readTensors(findWeights(members, path).content);

  const artifact = async (key: string) => {
    const name = artifacts.get(key);
    if (name === undefined) return undefined;
    const member = members.get(name);
    if (!member) throw new CorruptFile(path, `${key} refers to the file ${name}, which is not in the archive`);
    return wholeMember(member);
  };

  const ownRecord = record && parseJsonObject(await wholeMember(record), record.content.name);
  return {
    path,
    compressed,
    config,
    record: ownRecord,
    artifactNames: [...artifacts.keys()],
    members: [...members.values()].map(({ name, content }) => ({ name, sizeBytes: content.size })),
    tensors,
    artifact,
    async sha256(name) {
      const member = members.get(name);
      if (!member) throw new CorruptFile(path, `there is no ${name} in it`);
      return sha256OfSource(member.content);
    },
    async labels() {
      const given = ownRecord?.['labels'];
      if (Array.isArray(given) && given.every((label) => typeof label === 'string')) return given;
      // The key was `class_labels` in NeMo 1.0.
      const file = (await artifact('class_labels.class_labels_file')) ?? (await artifact('class_labels'));
      if (file === undefined) return undefined;
      const lines = new TextDecoder().decode(file).split(/\r\n|\r|\n/);
      return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
    },
    async encoderConfig(hints) {
      const file = await artifact('language_model.config_file');
      if (file)
        return {
          config: parseJsonObject(file, `${path}: ${artifacts.get('language_model.config_file') ?? ''}`),
          notes: [],
        };
      const given = valueAt(config, 'language_model.config');
      if (isJsonObject(given) && (given['hidden_size'] ?? given['model_type']) !== undefined)
        return { config: given, notes: [] };
      const modelName = valueAt(config, 'language_model.pretrained_model_name');
      return inferEncoderConfig(encoderShapes(tensors), path, {
        ...(typeof modelName === 'string' ? { modelName } : {}),
        ...hints,
      });
    },
    close: () => source.close(),
  };
}

async function wholeMember({ content }: TarMember): Promise<Uint8Array> {
  if (content.size > largestArtifact)
    throw new CorruptFile(
      content.name,
      `has ${content.size} bytes, more than the ${largestArtifact} that are allowed for a file other than the weights`,
    );
  return content.read(0, content.size);
}

/** NeMo writes only the `model` section, but also reads a whole configuration. */
function unwrap(config: JsonObject): JsonObject {
  const inner = config['model'];
  return isJsonObject(inner) && config['language_model'] === undefined ? inner : config;
}

function* findArtifacts(value: JsonValue, key: string): Generator<[string, string]> {
  if (typeof value === 'string' && value.startsWith('nemo:')) yield [key, value.slice('nemo:'.length)];
  if (!isJsonObject(value)) return;
  for (const [name, inner] of Object.entries(value)) yield* findArtifacts(inner, key === '' ? name : `${key}.${name}`);
}

/** A single rank of model parallelism has all weights. With several, each has a part of every matrix. */
function findWeights(members: Map<string, TarMember>, path: string): TarMember {
  const whole = members.get(weightsMember);
  if (whole) return whole;
  const ranks = [...members.values()].filter(({ name }) =>
    /^(?:mp|tp)_rank_[0-9_a-z]+\/model_weights\.ckpt$/.test(name),
  );
  const [only] = ranks;
  if (only && ranks.length === 1) return only;
  if (only) {
    const names = ranks.map(({ name }) => name.split('/')[0]).join(', ');
    throw new UnsupportedFile(
      path,
      `its weights are split over ${ranks.length} ranks of model parallelism (${names})`,
      {
        hint: 'merge them with NeMo first (megatron_change_num_partitions.py, or restore and save on one device)',
      },
    );
  }
  throw new CorruptFile(path, `there is no ${weightsMember} in it`);
}

function encoderShapes(tensors: TensorSource): Map<string, readonly number[]> {
  const prefix = 'bert_model.';
  return new Map(
    tensors
      .names()
      .filter((name) => name.startsWith(prefix))
      .map((name) => [name.slice(prefix.length), tensors.info(name).shape]),
  );
}
