import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EncoderFiles, JsonObject } from '@nautil/contracts';
import { CorruptFile, FileUnavailable, UnsupportedFile } from '../errors.js';
import { readJsonFile } from '../json.js';
import { readShardMap, requireShards } from '../sharded-tensors.js';
import { isHubRepository, snapshotIn } from './find-encoder.js';

/** Where the weights of an encoder are, and its configuration. */
export interface WeightFiles {
  /** A file of tensors, an index of several files (`.index.json`), or a `.nemo` archive. */
  readonly weights: string;

  /** The config.json next to the weights, if there is one. Undefined for a `.nemo`, which contains its own. */
  readonly config: string | undefined;
}

/**
 * Finds the weights in a folder: a Hugging Face model, a repository of Hugging Face's cache, or a Megatron-LM checkpoint. A
 * file is taken as it is.
 *
 * @throws FileUnavailable; UnsupportedFile for a folder without weights, with the file names that would be accepted
 */
export async function findWeights(path: string): Promise<WeightFiles> {
  const found = await stat(path).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    const problem = code === 'ENOENT' ? 'there is no such file or folder' : `can't be read (${code ?? ''})`;
    throw new FileUnavailable(path, problem, { cause: error });
  });
  if (!found.isDirectory()) return { weights: path, config: isNemo(path) ? undefined : configIn(dirname(path)) };
  const folder = isHubRepository(path) ? await snapshotIn(path) : path;
  return { weights: await weightsIn(folder), config: configIn(folder) };
}

/**
 * The files that `openEncoder` reads for a path: the configuration if there is one, and the weights with every shard. All of
 * them exist.
 *
 * @throws FileUnavailable, UnsupportedFile, and CorruptFile for a broken index
 */
export async function encoderFilesIn(path: string): Promise<string[]> {
  const { weights, config } = await findWeights(path);
  const shards = weights.endsWith('.index.json') ? await readShardMap(weights) : new Map<string, string>();
  requireShards(weights, shards);
  return [...(config === undefined ? [] : [config]), weights, ...new Set(shards.values())];
}

/** Every file that a run reads for its encoder and its tokenizer, without duplicates, in a fixed order. */
export async function listEncoderFiles(encoder: EncoderFiles): Promise<string[]> {
  const { path, lmCheckpoint, configFile, tokenizerFolder, vocabFile } = encoder;
  const files: (string | undefined)[] = lmCheckpoint === undefined ? [] : await encoderFilesIn(lmCheckpoint);
  if (path !== undefined) {
    // Only the configuration of a model counts when another checkpoint replaces its weights.
    const found = lmCheckpoint === undefined ? await encoderFilesIn(path) : [await findConfig(path)];
    for (const file of found) files.push(file);
  }
  if (tokenizerFolder !== undefined) {
    const names = (await readdir(tokenizerFolder)).filter(isTokenizerFile).sort();
    for (const name of names) files.push(join(tokenizerFolder, name));
  }
  files.push(configFile, vocabFile);
  return [...new Set(files)].filter((file) => file !== undefined);
}

/** The content of the config.json for the encoder at a path, with or without weights. Undefined if there is none. */
export async function readEncoderConfig(path: string): Promise<JsonObject | undefined> {
  const file = await findConfig(path);
  return file === undefined ? undefined : readJsonFile(file);
}

/** The config.json for the encoder at a path. Undefined if there is none. */
export async function findConfig(path: string): Promise<string | undefined> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return configIn(dirname(path));
  return configIn(isHubRepository(path) ? await snapshotIn(path) : path);
}

export const isNemo = (path: string): boolean => /\.nemo$/i.test(path);

function configIn(folder: string): string | undefined {
  const path = join(folder, 'config.json');
  return existsSync(path) ? path : undefined;
}

/** Names of weights in a folder, in order of preference: safetensors first, because it cannot contain code. */
const weightNames = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'model_optim_rng.pt',
  'model_rng.pt',
  'MegatronBERT.pt',
];

async function weightsIn(folder: string): Promise<string> {
  const named = weightNames.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (named !== undefined) return named;
  const tracker = await readFile(join(folder, 'latest_checkpointed_iteration.txt'), 'utf8').catch(() => undefined);
  if (tracker !== undefined) return weightsOfIteration(folder, tracker.trim());
  const present = await readdir(folder);
  const other = present.find((name) => /^(?:tf_model\.h5|flax_model\.msgpack|.*\.onnx|.*\.ckpt\.index)$/.test(name));
  const problem =
    other === undefined ? 'there are no weights in this folder' : `its weights, ${other}, are of another framework`;
  throw new UnsupportedFile(folder, problem, { hint: `one of these is needed: ${weightNames.join(', ')}` });
}

/** Megatron-LM's layout: `iter_0001000/mp_rank_00/model_optim_rng.pt`, with one folder per rank of model parallelism. */
async function weightsOfIteration(folder: string, iteration: string): Promise<string> {
  if (!/^(?:release|\d{1,12})$/.test(iteration)) {
    throw new CorruptFile(join(folder, 'latest_checkpointed_iteration.txt'), 'names no iteration');
  }
  const name = join(folder, iteration === 'release' ? iteration : `iter_${iteration.padStart(7, '0')}`);
  const present = await readdir(name).catch((): string[] => []);
  const ranks = present.filter((entry) => entry.startsWith('mp_rank_'));
  const [only] = ranks;
  if (only === undefined) throw new FileUnavailable(name, 'there is no mp_rank_00 in it');
  if (ranks.length > 1) {
    throw new UnsupportedFile(name, `split over ${ranks.length} ranks of model parallelism (${ranks.join(', ')})`, {
      hint: "merge them with Megatron-LM's tools/checkpoint_util.py first",
    });
  }
  return weightsIn(join(name, only));
}

/** Any one of these files is enough to build a tokenizer. */
export const vocabularyNames = [
  'tokenizer.json',
  'vocab.txt',
  'vocab.json',
  'spiece.model',
  'sentencepiece.bpe.model',
  'spm.model',
];

export const hasVocabulary = (folder: string): boolean =>
  vocabularyNames.some((name) => existsSync(join(folder, name)));

/** Whether a tokenizer reads a file of this name. */
export function isTokenizerFile(name: string): boolean {
  return (
    vocabularyNames.includes(name) ||
    ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'merges.txt'].includes(name)
  );
}

/** The folder itself, or the folder that a file is in. */
export const folderOf = async (path: string): Promise<string> =>
  (await stat(path)).isDirectory() ? path : dirname(path);
