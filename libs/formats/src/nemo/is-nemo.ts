import { constants, gunzipSync } from 'node:zlib';
import { openByteSource } from '../byte-source.js';
import { CorruptFile } from '../errors.js';
import { configMember } from './read-nemo.js';
import { hasTarHeader, readTarDirectory } from './tar.js';

/** Enough of a gzip stream for the first header of the tar in it. */
const headBytes = 64 << 10;

/**
 * Whether a file looks like a `.nemo` archive: a tar with a configuration, or a gzipped tar, of which only the beginning is read.
 * Use it to decide whether another archive may replace the file. Only `readNemo` decides whether it can be read.
 */
export async function isNemo(path: string): Promise<boolean> {
  const source = await openByteSource(path);
  try {
    const head = await source.read(0, Math.min(headBytes, source.size));
    if (head[0] === 0x1f && head[1] === 0x8b) return hasTarHeader(beginningOf(head));
    return (await readTarDirectory(source)).has(configMember);
  } catch (error) {
    if (error instanceof CorruptFile) return false;
    throw error;
  } finally {
    await source.close();
  }
}

function beginningOf(compressed: Uint8Array): Buffer {
  try {
    return gunzipSync(compressed, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}
