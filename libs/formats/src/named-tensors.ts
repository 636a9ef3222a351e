import { closest } from 'fastest-levenshtein';
import { CorruptFile, MissingTensors } from './errors.js';
import { decodeFloats } from './tensor-dtype.js';
import type { TensorInfo, TensorSource } from './tensor-source.js';

/** Creates a TensorSource from a table of entries and a function that reads one entry. Every file format uses it. */
export function namedTensors<Entry extends TensorInfo>(o: {
  format: TensorSource['format'];
  name: string;
  metadata?: Readonly<Record<string, string>>;
  tensors: ReadonlyMap<string, Entry>;
  read(entry: Entry, name: string): Promise<Uint8Array>;
  close: () => Promise<void>;
}): TensorSource {
  const entryOf = (name: string): Entry => {
    const entry = o.tensors.get(name);
    if (entry) return entry;
    const known = [...o.tensors.keys()];
    throw new MissingTensors(o.name, `there is no tensor ${name}`, {
      hint: known.length > 0 ? `the nearest name is ${closest(name, known)}` : 'the file contains no tensors',
    });
  };
  return {
    format: o.format,
    metadata: o.metadata ?? {},
    names: () => [...o.tensors.keys()],
    info: (name) => {
      const { dtype, shape } = entryOf(name);
      return { dtype, shape };
    },
    read: async (name) => o.read(entryOf(name), name),
    readFloat32: async (name) => {
      const entry = entryOf(name);
      const values = decodeFloats(entry.dtype, await o.read(entry, name));
      if (!values)
        throw new CorruptFile(
          o.name,
          `tensor ${name} has type ${entry.dtype}, but a weight must have a floating-point type`,
        );
      return values;
    },
    close: o.close,
  };
}
