import type { ByteSource } from '../byte-source.js';
import { CorruptFile, UnsupportedFile } from '../errors.js';
import { namedTensors } from '../named-tensors.js';
import type { TensorSource } from '../tensor-source.js';
import { PickleCutOff, type PickleValue } from './pickle-machine.js';
import { runTorchPickle } from './torch-pickle.js';
import { packRowMajor, type TorchTensor } from './torch-tensor.js';
import { tensorsByPath } from './torch-values.js';
import { readEntry, readZipDirectory, type ZipEntry } from './zip-directory.js';

/** A file of torch.save: its tensors, and the whole value that contains them. */
export interface TorchFile extends TensorSource {
  readonly root: PickleValue;
}

const longestPickle = 16 << 20;

/** Opens the zip form of torch.save (since PyTorch 1.6): `NAME/data.pkl` and one stored entry `NAME/data/KEY` a storage. */
export async function readTorchZip(source: ByteSource): Promise<TorchFile> {
  const entries = await readZipDirectory(source);
  const pickle = soleDataPkl(source, entries);
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw new UnsupportedFile(source.name, 'this is TorchScript, a compiled program', {
      hint: 'save the state_dict of the model that it was made from',
    });
  }
  await checkByteOrder(entries.get(`${folder}byteorder`));
  if (pickle.content.size > longestPickle)
    throw new CorruptFile(pickle.content.name, `the pickle has ${pickle.content.size} bytes`);
  const root = runWhole(await readEntry(pickle), pickle.content.name);

  const tensors = tensorsByPath(source.name, root, source.size);
  for (const [name, tensor] of tensors) checkStorage(source, entries, folder, name, tensor);
  return {
    root,
    ...namedTensors({
      format: 'torch-zip',
      name: source.name,
      tensors,
      read: (tensor) => readView(tensor, entries.get(`${folder}data/${tensor.storage.key}`)),
      close: () => source.close(),
    }),
  };
}

function soleDataPkl(source: ByteSource, entries: Map<string, ZipEntry>): ZipEntry {
  const pickles = [...entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle && pickles.length === 1) return pickle;
  const some = [...entries.keys()].slice(0, 3).join(', ');
  throw new UnsupportedFile(source.name, `a zip file, but not one of torch.save (it holds ${some || 'nothing'})`, {
    hint: 'torch.save puts NAME/data.pkl into it; an archive of several files is unpacked first',
  });
}

async function checkByteOrder(entry: ZipEntry | undefined): Promise<void> {
  if (!entry || entry.content.size > 16) return;
  const order = new TextDecoder().decode(await readEntry(entry));
  if (order === 'big') {
    throw new UnsupportedFile(entry.content.name, 'the weights were saved on a big-endian machine', {
      hint: 'load them in PyTorch on this machine and save them again',
    });
  }
}

function runWhole(bytes: Uint8Array, name: string): PickleValue {
  try {
    return runTorchPickle(bytes, name).value;
  } catch (error) {
    if (error instanceof PickleCutOff) throw new CorruptFile(name, `the pickle is cut off: ${error.message}`);
    throw error;
  }
}

function checkStorage(
  source: ByteSource,
  entries: Map<string, ZipEntry>,
  folder: string,
  name: string,
  tensor: TorchTensor,
): void {
  const { key, sizeBytes } = tensor.storage;
  const entry = entries.get(`${folder}data/${key}`);
  if (!entry)
    throw new CorruptFile(source.name, `the data of ${name} is missing: there is no entry ${folder}data/${key}`);
  if (entry.content.size !== sizeBytes) {
    throw new CorruptFile(
      source.name,
      `the data of ${name} has ${entry.content.size} bytes, but the pickle gives ${sizeBytes}`,
    );
  }
}

async function readView(tensor: TorchTensor, entry: ZipEntry | undefined): Promise<Uint8Array> {
  const { start, length } = tensor.span;
  if (!entry || length === 0) return new Uint8Array(0);
  const whole = start === 0 && length === entry.content.size;
  return packRowMajor(tensor, whole ? await readEntry(entry) : await entry.content.read(start, length));
}
