import { createHash } from 'node:crypto';
import { writeFileAtomic, type WriteOptions } from '@nautil/store';
import { chunksOf, openByteSource, partOf } from './byte-source.js';
import { CorruptFile } from './errors.js';
import { readSafetensors } from './read-safetensors.js';
import type { TensorToWrite } from './tensor-source.js';
import { hashing, safetensorsChunks } from './write-safetensors.js';

/** Stands in the header for the digest while the digest is computed. */
const placeholder = '0'.repeat(64);

/**
 * Writes a safetensors file atomically, like `writeSafetensors`, with `sha256` in its metadata: the SHA-256 of the whole file,
 * in which 64 zeros stand for the digest itself. It covers every byte: the length of the header, the header with its padding,
 * and all tensors. Each tensor is read once, and `onWritten` is called at once after it.
 */
export async function writeSealedSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>>,
  { confirm }: Pick<WriteOptions, 'confirm'> = {},
): Promise<void> {
  const hash = createHash('sha256');
  let position = 0;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of hashing(hash, safetensorsChunks(tensors, { ...metadata, sha256: placeholder }))) {
      // The first chunk is the header, whose metadata has the placeholder.
      if (position === 0)
        position = Buffer.from(chunk.buffer).indexOf(`"sha256":"${placeholder}"`) + '"sha256":"'.length;
      yield chunk;
    }
  };
  await writeFileAtomic(path, chunks(), {
    patch: () => ({ position, bytes: Buffer.from(hash.digest('hex')) }),
    ...(confirm ? { confirm } : {}),
  });
}

/**
 * Compares a safetensors file with the digest that `writeSealedSafetensors` put into its metadata. Reads the file once.
 *
 * @throws CorruptFile when the digest is missing or differs, or when the file is not valid safetensors
 */
export async function verifySealed(path: string): Promise<void> {
  const source = await openByteSource(path);
  try {
    const { metadata } = await readSafetensors(source);
    const { sha256 } = metadata;
    if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256))
      throw new CorruptFile(path, 'its header has no SHA-256 of the file');
    const headerEnd = 8 + Number(new DataView((await source.read(0, 8)).buffer).getBigUint64(0, true));
    const header = Buffer.from((await source.read(0, headerEnd)).buffer);
    const at = header.indexOf(`"${sha256}"`);
    if (at < 0) throw new CorruptFile(path, 'its header has no SHA-256 of the file');
    header.write(placeholder, at + 1);
    const hash = createHash('sha256').update(header);
    for await (const chunk of chunksOf(partOf(source, path, headerEnd, source.size - headerEnd))) hash.update(chunk);
    const found = hash.digest('hex');
    if (found !== sha256)
      throw new CorruptFile(path, `its content does not match its SHA-256 (${short(found)}…, not ${short(sha256)}…)`, {
        hint: 'a byte changed after the file was written: check the disk',
      });
  } finally {
    await source.close();
  }
}

const short = (sha256: string): string => sha256.slice(0, 12);
