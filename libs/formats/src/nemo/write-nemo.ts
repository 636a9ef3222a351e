import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type FileRef, type JsonObject, valueAt, withValueAt } from '@nautil/contracts';
import { sha256File, sha256Of, writeFileAtomic } from '@nautil/store';
import { readChunks } from '@nautil/store/streams';
import { pythonJson } from '../json.js';
import type { TensorToWrite } from '../tensor-source.js';
import { torchZip } from '../torch/write-torch-zip.js';
import { sealRecord } from './nemo-record.js';
import { stringifyNemoYaml } from './nemo-yaml.js';
import { configMember, recordMember, weightsMember } from './read-nemo.js';
import { tarChunks, type TarFile } from './tar.js';

/** A file to store in the archive for a configuration key. */
export interface NemoArtifact {
  /** Dotted key whose value becomes `nemo:HASH_NAME`: `tokenizer.vocab_file`. */
  readonly key: string;

  /** Name of the file, without a folder: `vocab.txt`. */
  readonly name: string;

  /** The bytes, or the path of a file. */
  readonly content: Uint8Array | string;
}

export interface NemoToWrite {
  readonly path: string;

  /** The `model` section in NeMo's snake_case. `target` and `nemo_version` are added if they are missing. */
  readonly config: JsonObject;

  /** Weights in NeMo's order and under its names. `loss.weight` is omitted unless `keepLossWeight` is set. */
  readonly tensors: Iterable<TensorToWrite>;

  /** `tokenizer.vocab_file`, `class_labels.class_labels_file`, … */
  readonly artifacts: readonly NemoArtifact[];

  /** The encoder's Hugging Face configuration. It becomes the artifact `language_model.config_file`, named after the model. */
  readonly encoderConfig?: JsonObject | undefined;

  /** Token to id. It becomes the artifact `tokenizer_vocab_dict`. */
  readonly vocabulary?: ReadonlyMap<string, number>;

  /**
   * Nautil's own record (tokenization, labels, metrics, lineage), stored as `nautil.json`, which NeMo ignores. The
   * digests of all other members and of the record itself are added as `files` and `digest`, for `verifyNemo`.
   */
  readonly record?: JsonObject;

  /**
   * NeMo saves the class weights of a weighted loss as a parameter, and then cannot restore its own archive in strict mode.
   * Default false: they are omitted.
   */
  readonly keepLossWeight?: boolean;
}

const nemoTarget = 'nemo.collections.nlp.models.text_classification.text_classification_model.TextClassificationModel';
const nemoVersion = '1.23.0';

/**
 * Atomically writes a `.nemo` archive that NeMo 1.23 can restore. The bytes depend only on the content: the archive contains
 * no times, owners, paths or random names.
 *
 * @example
 * await writeNemo({ path: 'model.nemo', config, tensors, encoderConfig, vocabulary,
 *   artifacts: [{ key: 'tokenizer.vocab_file', name: 'vocab.txt', content: 'bert/vocab.txt' }] });
 */
export async function writeNemo(o: NemoToWrite): Promise<FileRef> {
  const files = new Map<string, TarFile>();
  let config = o.config;
  for (const artifact of [...o.artifacts, ...derivedArtifacts(o)]) {
    const { digest, file } = await openArtifact(artifact);
    // NeMo uses 32 random hex digits. Digits of the content's digest give equal content equal names.
    const name = `${digest.slice(0, 32)}_${artifact.name}`;
    files.set(name, { ...file, name });
    if (artifact.key === 'tokenizer_vocab_dict') config = withTarget(config);
    config = withValueAt(config, artifact.key, `nemo:${name}`);
  }
  const put = (name: string, bytes: Uint8Array) => files.set(name, { name, size: bytes.length, chunks: () => [bytes] });
  put(configMember, Buffer.from(stringifyNemoYaml(withTarget(config))));
  const tensors = [...o.tensors].filter(({ name }) => o.keepLossWeight === true || name !== 'loss.weight');
  files.set(weightsMember, { name: weightsMember, ...torchZip(tensors) });
  const members = o.record ? withRecord(o.record, [...files.values()]) : [...files.values()];

  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of tarChunks(members)) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  await writeFileAtomic(o.path, hashed());
  return { path: resolve(o.path), sha256: hash.digest('hex'), sizeBytes };
}

/**
 * Appends the record with the digests of the files. The digests are computed while the files are written; the record only
 * needs its own size in advance, and its name sorts after those of the other members.
 */
function withRecord(record: JsonObject, files: readonly TarFile[]): TarFile[] {
  const digests = new Map(files.map(({ name }) => [name, '0'.repeat(64)]));
  const text = () => Buffer.from(pythonJson(sealRecord({ ...record, files: Object.fromEntries(digests) })));
  const hashed = files.map((file) => ({
    ...file,
    async *chunks() {
      const hash = createHash('sha256');
      for await (const chunk of file.chunks()) {
        hash.update(chunk);
        yield chunk;
      }
      digests.set(file.name, hash.digest('hex'));
    },
  }));
  return [...hashed, { name: recordMember, size: text().length, chunks: () => [text()] }];
}

/** The two artifacts that NeMo derives from the encoder and the tokenizer, with NeMo's names. */
function derivedArtifacts(o: NemoToWrite): NemoArtifact[] {
  const derived: NemoArtifact[] = [];
  if (o.encoderConfig) {
    const modelName = valueAt(o.config, 'language_model.pretrained_model_name');
    const name = `${(typeof modelName === 'string' ? modelName : 'encoder').replaceAll('/', '_')}_encoder_config.json`;
    derived.push({
      key: 'language_model.config_file',
      name,
      content: Buffer.from(pythonJson(withoutPaths(o.encoderConfig))),
    });
  }
  if (o.vocabulary) {
    const content = Buffer.from(pythonJson(Object.fromEntries(o.vocabulary)));
    derived.push({ key: 'tokenizer_vocab_dict', name: 'tokenizer_vocab_dict', content });
  }
  return derived;
}

/** transformers records the origin of a model. If it is a path, it would make the bytes depend on the machine. */
function withoutPaths(config: JsonObject): JsonObject {
  const origin = config['_name_or_path'];
  if (typeof origin !== 'string' || !/^[/~.\\]|^[A-Za-z]:/.test(origin)) return config;
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== '_name_or_path'));
}

/** Adds the model's class and NeMo's version to a `model` section, as NeMo stores it. */
export function withTarget(config: JsonObject): JsonObject {
  return { ...config, target: config['target'] ?? nemoTarget, nemo_version: config['nemo_version'] ?? nemoVersion };
}

async function openArtifact({ content }: NemoArtifact): Promise<{ digest: string; file: Omit<TarFile, 'name'> }> {
  if (typeof content !== 'string') {
    return { digest: sha256Of(content), file: { size: content.length, chunks: () => [content] } };
  }
  const [digest, { size }] = await Promise.all([sha256File(content), stat(content)]);
  return { digest, file: { size, chunks: () => readChunks(content) } };
}
