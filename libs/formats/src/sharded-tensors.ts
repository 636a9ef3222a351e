import { isJsonObject } from '@nautil/contracts';
import { basename, dirname, join } from 'node:path';
import { CorruptFile } from './errors.js';
import { readJsonFile } from './json.js';
import { namedTensors } from './named-tensors.js';
import { openTensors } from './open-tensors.js';
import type { TensorInfo, TensorSource } from './tensor-source.js';

interface ShardEntry extends TensorInfo {
  readonly shard: TensorSource;
}

/** Opens weights that are split over several files, as `NAME.index.json` lists them: `{"weight_map": {tensor: file}}`. */
export async function openShardedTensors(index: string): Promise<TensorSource> {
  const map = await readShardMap(index);
  const shards = new Map<string, TensorSource>();
  const close = async () => void (await Promise.all([...shards.values()].map((shard) => shard.close())));
  try {
    const tensors = new Map<string, ShardEntry>();
    for (const [name, file] of map) {
      const shard = shards.get(file) ?? (await openTensors(file));
      shards.set(file, shard);
      tensors.set(name, { ...shard.info(name), shard });
    }
    const format = [...shards.values()][0]?.format ?? 'safetensors';
    return namedTensors({ format, name: index, tensors, read: ({ shard }, name) => shard.read(name), close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** The path of the shard that holds each tensor. */
export async function readShardMap(index: string): Promise<Map<string, string>> {
  const { weight_map: map } = await readJsonFile(index);
  if (!isJsonObject(map)) throw new CorruptFile(index, 'has no weight_map');
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || file !== basename(file) || file.startsWith('.')) {
      throw new CorruptFile(index, `${name} would be in ${JSON.stringify(file)}, which is no file of this folder`);
    }
    files.set(name, join(dirname(index), file));
  }
  return files;
}
