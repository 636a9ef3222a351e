import { closest } from 'fastest-levenshtein';
import { CorruptFile, MissingTensors, UnsupportedFile } from './errors.js';
import { decodeFloats } from './tensor-dtype.js';
import type { TensorInfo, TensorSource } from './tensor-source.js';

/** The largest encoders have about 1,000. Opening and reading a file takes about 30 µs for each. */
export const mostTensors = 30_000;

export function tooManyTensors(path: string, count: number): UnsupportedFile {
  return new UnsupportedFile(path, `it has ${count} entries, and a model has at most ${mostTensors} tensors`, {
    hint: 'check that this is the file of a model; of a checkpoint with more in it, save only the state_dict',
  });
}

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
