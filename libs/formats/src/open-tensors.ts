import { counted } from '@nautil/contracts';
import { type ByteSource, openByteSource } from './byte-source.js';
import { CorruptFile, cutOff, UnsupportedFile } from './errors.js';
import { readSafetensors } from './read-safetensors.js';
import type { TensorSource } from './tensor-source.js';
import { legacyStart, readTorchLegacy } from './torch/read-torch-legacy.js';
import { readTorchZip } from './torch/read-torch-zip.js';

/**
 * Opens a file of named tensors: safetensors, or a file of `torch.save` (zip, or the stream format before PyTorch 1.6).
 * The format is detected from the content, not from the name. Only the table of tensors is read at this point. The caller
 * closes the result.
 *
 * @throws CorruptFile, UnsafePickle, UnsupportedFile
 */
export async function openTensors(path: string): Promise<TensorSource> {
  const source = await openByteSource(path);
  try {
    return await readTensors(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Opens the tensors in a byte source. Closing the result closes the source. */
export async function readTensors(source: ByteSource): Promise<TensorSource> {
  const start = Buffer.from((await source.read(0, Math.min(source.size, sniffed))).buffer);
  if (start.length === 0) throw new CorruptFile(source.name, 'the file is empty');
  const kind = kinds.find(({ matches }) => matches(start));
  if (kind?.read) return kind.read(source);
  const isStartOfLegacy = startsWith(...legacyStart.slice(0, start.length))(start);
  // Safetensors start with a length of eight bytes, which can be any.
  if (isStartOfLegacy || (kind === undefined && start.length <= 8)) {
    throw cutOff(source.name, `it has only ${counted(start.length, 'byte')}`);
  }
  throw new UnsupportedFile(source.name, kind?.problem ?? 'not a file of tensors that Nautil knows', {
    hint: kind?.hint ?? readable,
  });
}

const sniffed = 512;
const readable = 'files that are read: safetensors, and those of torch.save (pytorch_model.bin, .ckpt, .pt)';

interface FileKind {
  matches: (start: Buffer) => boolean;
  read?: (source: ByteSource) => Promise<TensorSource>;
  problem?: string;
  hint?: string;
}

const startsWith =
  (...bytes: number[]) =>
  (start: Buffer) =>
    bytes.every((byte, index) => start[index] === byte);
const startsWithText = (text: string) => (start: Buffer) => start.subarray(0, text.length).toString('latin1') === text;

/** File kinds recognised by their first bytes: the supported ones, and others that users commonly mistake for them. */
const kinds: readonly FileKind[] = [
  { matches: startsWithText('PK'), read: readTorchZip },
  { matches: startsWith(...legacyStart), read: readTorchLegacy },
  { matches: (start) => start.length > 8 && start[8] === 0x7b, read: readSafetensors },
  {
    matches: startsWithText('version https://git-lfs'),
    problem: 'only the pointer that Git LFS keeps in place of the file',
    hint: '`git lfs pull` in the repository fetches the file itself',
  },
  {
    matches: (start) => /^\s*<(!doctype|html)/i.test(start.toString('latin1')),
    problem: 'a web page, not the file that was to be downloaded',
    hint: 'the address may need a login, or be that of a page about the file',
  },
  { matches: startsWith(0x89, 0x48, 0x44, 0x46), problem: 'an HDF5 file of Keras (tf_model.h5)', hint: readable },
  { matches: startsWithText('GGUF'), problem: 'a GGUF file of llama.cpp', hint: readable },
  {
    matches: (start) => startsWith(0x1f, 0x8b)(start) || start.toString('latin1', 257, 262) === 'ustar',
    problem: 'a tar archive',
    hint: 'a .nemo archive is opened whole, as a model; of another archive, unpack the file of weights',
  },
  {
    matches: (start) => start[0] === 0x80 && (start[1] ?? 0) <= 5,
    problem: 'a pickle that torch.save did not write',
    hint: 'load it in Python and save the state_dict by torch.save, or as safetensors',
  },
];
