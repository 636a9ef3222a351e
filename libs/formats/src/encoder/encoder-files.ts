import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CorruptFile, FileUnavailable, UnsupportedFile } from '../errors.js';
import { isHubRepository, snapshotOf } from './hub-cache.js';
import { readShardMap } from '../sharded-tensors.js';

/** Where the weights of an encoder are, and its configuration. */
export interface WeightFiles {
  /** A file of tensors, an index of several (`.index.json`), or a `.nemo`. */
  readonly weights: string;

  /** The config.json that belongs to them; undefined when there is none, and for a `.nemo`, which holds its own. */
  readonly config: string | undefined;
}

/**
 * Finds the weights of an encoder in a folder (a Hugging Face model, a repository of the hub's cache, a checkpoint of
 * Megatron-LM), or takes a file as it is.
 *
 * @throws FileUnavailable, and UnsupportedFile with the files that are read for a folder without any of them
 */
export async function findWeights(path: string): Promise<WeightFiles> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const problem = error.code === 'ENOENT' ? 'there is no such file or folder' : `can't be read (${error.code ?? ''})`;
    throw new FileUnavailable(path, problem, { cause: error });
  });
  if (!found.isDirectory())
    return { weights: path, config: /\.nemo$/i.test(path) ? undefined : configIn(dirname(path)) };
  const folder = isHubRepository(path) ? await snapshotOf(path) : path;
  return { weights: await weightsIn(folder), config: configIn(folder) };
}

/**
 * The files that `openEncoder` reads at a path, all of them there: the configuration where there is one, and the weights,
 * with every shard of an index.
 *
 * @throws FileUnavailable, UnsupportedFile, and CorruptFile for a broken index
 */
export async function encoderFilesIn(path: string): Promise<string[]> {
  const { weights, config } = await findWeights(path);
  const files = config === undefined ? [weights] : [config, weights];
  if (weights.endsWith('.index.json')) files.push(...new Set((await readShardMap(weights)).values()));
  for (const file of files) {
    if (!existsSync(file)) throw new FileUnavailable(file, `there is no such file, and ${weights} needs it`);
  }
  return files;
}

/** The config.json of the encoder at a path, weights or none; undefined when there is none. */
export async function findConfig(path: string): Promise<string | undefined> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return configIn(dirname(path));
  return configIn(isHubRepository(path) ? await snapshotOf(path) : path);
}

function configIn(folder: string): string | undefined {
  const path = join(folder, 'config.json');
  return existsSync(path) ? path : undefined;
}

/** Names of the weights in a folder, in order of preference; safetensors can't carry code at all. */
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
  if (named) return named;
  const tracker = await readFile(join(folder, 'latest_checkpointed_iteration.txt'), 'utf8').catch(() => undefined);
  if (tracker !== undefined) return weightsOfIteration(folder, tracker.trim());
  const present = await readdir(folder);
  const other = present.find((name) => /^(?:tf_model\.h5|flax_model\.msgpack|.*\.onnx|.*\.ckpt\.index)$/.test(name));
  const problem = other ? `its weights, ${other}, are of another framework` : 'there are no weights in this folder';
  throw new UnsupportedFile(folder, problem, { hint: `one of these is needed: ${weightNames.join(', ')}` });
}

/** Megatron-LM's layout: `iter_0001000/mp_rank_00/model_optim_rng.pt`, one folder a rank of model parallelism. */
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
