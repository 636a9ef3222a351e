import { createHash } from 'node:crypto';
import { chunksOf, openByteSource, partOf } from './byte-source.js';
import { CorruptFile } from './errors.js';
import { readSafetensors } from './read-safetensors.js';
import type { TensorToWrite } from './tensor-source.js';
import { safetensorsDigest } from './write-safetensors.js';

/** Stands in the header for the digest while the digest is computed. */
const placeholder = '0'.repeat(64);

/**
 * Adds `sha256` to the metadata of a safetensors file: the SHA-256 of the whole file, in which 64 zeros stand for the digest
 * itself. It covers every byte: the length of the header, the header with its padding, and all tensors.
 */
export async function sealMetadata(
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const sha256 = await safetensorsDigest(tensors, { ...metadata, sha256: placeholder });
  return { ...metadata, sha256 };
}

/**
 * Compares a safetensors file with the digest that `sealMetadata` put into its metadata. Reads the file once.
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
