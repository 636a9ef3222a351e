import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { listed } from '@nautil/contracts';
import { jsonValidator } from '@nautil/contracts/schemas';
import { CorruptFile, FileUnavailable } from './errors.js';
import { readJsonFile, validateJson } from './json.js';
import { namedTensors } from './named-tensors.js';
import { openTensors } from './open-tensors.js';
import type { TensorInfo, TensorSource } from './tensor-source.js';

// Type.Record would skip keys that contain a line break.
const validateShardIndex = jsonValidator(
  Type.Object({
    weight_map: Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
  }),
);

interface ShardEntry extends TensorInfo {
  readonly shard: TensorSource;
}

/** Opens weights that are split over several files, which `NAME.index.json` lists: `{"weight_map": {tensor: file}}`. */
export async function openShardedTensors(index: string): Promise<TensorSource> {
  const map = await readShardMap(index);
  requireShards(index, map);
  const shards = new Map<string, TensorSource>();
  const close = async () => {
    await Promise.all([...shards.values()].map((shard) => shard.close()));
  };
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

/** @throws FileUnavailable when a shard is missing, with the names of all that are */
export function requireShards(index: string, shards: ReadonlyMap<string, string>): void {
  const files = [...new Set(shards.values())];
  const missing = files.filter((file) => !existsSync(file));
  const [first] = missing;
  if (first === undefined) return;
  throw new FileUnavailable(first, `there is no such file, and ${index} needs it`, {
    hint: `copy or download the rest of the model: ${listed(missing.map((file) => basename(file)))} of its ${files.length} files of weights`,
  });
}

/** The path of the shard that holds each tensor. */
export async function readShardMap(index: string): Promise<Map<string, string>> {
  const { weight_map: map } = validateJson(validateShardIndex, await readJsonFile(index), index, 'the index');
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (file !== basename(file) || file.startsWith('.')) {
      throw new CorruptFile(
        index,
        `weight_map puts ${name} into ${JSON.stringify(file)}, which is not a file name in this folder`,
      );
    }
    files.set(name, join(dirname(index), file));
  }
  return files;
}
