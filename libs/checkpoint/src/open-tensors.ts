import { openByteSource, type ByteSource } from './byte-source.js';
import { UnsupportedFile } from './errors.js';
import { readSafetensors } from './read-safetensors.js';
import type { TensorSource } from './tensor-source.js';

/**
 * Opens a file of named tensors: safetensors, or what `torch.save` wrote (zip, or the stream of PyTorch before 1.6).
 * The content decides, not the name. Only tables are read now; close it after use.
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

/** Opens tensors in any source of bytes, which the result closes. */
export async function readTensors(source: ByteSource): Promise<TensorSource> {
  const start = await source.read(0, Math.min(source.size, 512));
  const looksLike = recognise(start);
  if (looksLike === 'safetensors') return readSafetensors(source);
  throw new UnsupportedFile(source.name, looksLike.problem, { hint: looksLike.hint });
}

const readable = 'files that are read: safetensors, and those of torch.save (pytorch_model.bin, .ckpt, .pt)';

function recognise(start: Uint8Array): 'safetensors' | { problem: string; hint: string } {
  if (start.length === 0) return { problem: 'the file is empty', hint: readable };
  if (start.length > 8 && start[8] === 0x7b) return 'safetensors';
  return { problem: 'not a file of tensors that Nautil knows', hint: readable };
}
