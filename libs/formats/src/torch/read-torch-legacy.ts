import type { ByteSource } from '../byte-source.js';
import { CorruptFile, cutOff, UnsupportedFile } from '../errors.js';
import { namedTensors } from '../named-tensors.js';
import { bytesPerElement, type TensorDType } from '../tensor-dtype.js';
import { PickleCutOff, type PickleValue } from './pickle-machine.js';
import type { TorchFile } from './read-torch-zip.js';
import { runTorchPickle } from './torch-pickle.js';
import { packRowMajor } from './torch-tensor.js';
import { tensorsByPath } from './torch-values.js';

/** The pickle of torch's magic number, with which every file of the stream form starts. */
export const legacyStart: readonly number[] = [
  0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
];

const protocolVersion = 1001;
const firstWindow = 1 << 20;
const longestPickles = 16 << 20;

/**
 * Opens the stream form of torch.save (before PyTorch 1.6): five pickles (magic number, protocol version, machine, value,
 * keys of the storages), then for each key its number of elements (int64) and their bytes.
 */
export async function readTorchLegacy(source: ByteSource): Promise<TorchFile> {
  const { root, keys, end } = await readPickles(source);
  const tensors = tensorsByPath(source.name, root, source.size);

  const types = new Map<string, { dtype: TensorDType | undefined; sizeBytes: number }>();
  for (const { storage } of tensors.values()) types.set(storage.key, storage);
  const starts = new Map<string, number>();
  let at = end;
  for (const key of keys) {
    const type = types.get(key);
    if (starts.has(key)) throw new CorruptFile(source.name, `the storage ${key} occurs twice`);
    if (!type?.dtype) throw new CorruptFile(source.name, `no tensor gives the type of the storage ${key}`);
    const count = new DataView((await source.read(at, 8)).buffer).getBigInt64(0, true);
    const sizeBytes = Number(count) * bytesPerElement[type.dtype];
    if (sizeBytes !== type.sizeBytes) {
      throw new CorruptFile(
        source.name,
        `the storage ${key} has ${sizeBytes} bytes, but the pickle gives ${type.sizeBytes}`,
      );
    }
    starts.set(key, at + 8);
    at += 8 + sizeBytes;
  }
  if (at > source.size) throw cutOff(source.name, `its storages end at byte ${at}, but it has only ${source.size}`);
  if (at !== source.size)
    throw new CorruptFile(source.name, `the storages end at byte ${at}, the file has ${source.size}`);
  for (const [name, { storage }] of tensors) {
    if (!starts.has(storage.key)) throw new CorruptFile(source.name, `the data of ${name} is missing`);
  }

  return {
    root,
    ...namedTensors({
      format: 'torch-legacy',
      name: source.name,
      tensors,
      read: async (tensor) => {
        const { start, length } = tensor.span;
        const from = (starts.get(tensor.storage.key) ?? 0) + start;
        return packRowMajor(tensor, await source.read(from, length));
      },
      close: () => source.close(),
    }),
  };
}

/** The length of a pickle is not stored, so the five pickles are run on a window that grows until all of them fit. */
async function readPickles(source: ByteSource): Promise<{ root: PickleValue; keys: string[]; end: number }> {
  for (let window = firstWindow; ; window *= 4) {
    const size = Math.min(window, source.size, longestPickles);
    try {
      return parsePickles(await source.read(0, size), source.name);
    } catch (error) {
      if (!(error instanceof PickleCutOff)) throw error;
      if (size < window) throw cutOff(source.name, `its pickle is incomplete (${error.message})`);
    }
  }
}

function parsePickles(bytes: Uint8Array, name: string): { root: PickleValue; keys: string[]; end: number } {
  let end = legacyStart.length;
  const next = () => {
    const { value, end: length } = runTorchPickle(bytes.subarray(end), name);
    end += length;
    return value;
  };
  const version = next();
  if (version !== protocolVersion) {
    const found = typeof version === 'number' ? version : 'another value';
    throw new UnsupportedFile(name, `expected version ${protocolVersion} of torch's stream protocol, found ${found}`);
  }
  const machine = next();
  if (!(machine instanceof Map) || machine.get('little_endian') !== true) {
    throw new UnsupportedFile(name, 'the weights were saved on a big-endian machine', {
      hint: 'load them in PyTorch on this machine and save them again',
    });
  }
  const root = next();
  const keys = next();
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw new CorruptFile(name, 'the list of storage keys is not a list of strings');
  }
  return { root, keys, end };
}
