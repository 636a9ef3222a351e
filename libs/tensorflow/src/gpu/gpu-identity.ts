import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What tells a GPU of this machine from all others. */
export interface GpuIdentity {
  /** Its number in the order of the PCI bus, as in nvidia-smi. */
  readonly index: number;

  /** Such as `GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77`. */
  readonly uuid: string;

  /** The UUIDs of its MIG instances; empty: MIG is off. */
  readonly instances: readonly string[];
}

/** The one name of a GPU for CUDA_VISIBLE_DEVICES. Of a GPU with MIG instances, CUDA uses the first unless another one is named. */
export const canonicalName = ({ uuid, instances }: GpuIdentity): string => instances[0] ?? uuid;

/**
 * The canonical names of the GPUs that CUDA_VISIBLE_DEVICES names by number or by the start of a UUID. As CUDA does, it ignores
 * everything from the first name of none or of several GPUs, and selects no GPU when one is named twice. The rules are those of
 * `_parse_visible_devices` and `_transform_uuid_to_ordinals` in torch/cuda/__init__.py.
 *
 * @param tokens - from `visibleTokens`
 */
export function identifyGpus(tokens: readonly string[], gpus: readonly GpuIdentity[]): string[] {
  const names: string[] = [];
  for (const token of tokens) {
    const name = identify(token, gpus);
    if (name === undefined) break;
    if (names.includes(name)) return [];
    names.push(name);
  }
  return names;
}

/** Undefined when the token names no GPU, or several. */
function identify(token: string, gpus: readonly GpuIdentity[]): string | undefined {
  const named = token.startsWith('MIG-')
    ? gpus.flatMap(({ instances }) => instances).filter((instance) => instance.startsWith(token))
    : gpus
        .filter(({ index, uuid }) => (token.startsWith('GPU-') ? uuid.startsWith(token) : String(index) === token))
        .map(canonicalName);
  return named.length === 1 ? named[0] : undefined;
}

/**
 * The GPUs as the driver lists them in /proc, for a process without nvidia-smi. The folders have the addresses on the PCI bus, such
 * as `0000:1b:00.0`. Empty when there are none, or when a UUID is not known yet, which the driver shows as question marks.
 */
export function readIdentities(root: string): GpuIdentity[] {
  const folder = join(root, 'proc/driver/nvidia/gpus');
  try {
    const uuids = readdirSync(folder)
      .sort()
      .map(
        (address) =>
          /^GPU UUID:\s*(GPU-[\w-]+)$/m.exec(readFileSync(join(folder, address, 'information'), 'utf8'))?.[1],
      );
    const known = uuids.filter((uuid) => uuid !== undefined);
    return known.length === uuids.length ? known.map((uuid, index) => ({ index, uuid, instances: [] })) : [];
  } catch {
    return [];
  }
}
