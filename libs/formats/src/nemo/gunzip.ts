import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { explainWriteError } from '@nautil/store';
import { type ByteSource, chunksOf, openByteSource } from '../byte-source.js';
import { CorruptFile, cutOff } from '../errors.js';

// Weights hardly compress (1.1 to 1). A file that grows by more than this was made to fill the disk.
const mostGrowth = 20;
const alwaysAllowed = 64 << 20;

/** Unpacks a gzip file for random access, into an open temporary file that is already deleted from its folder. */
export async function gunzip(source: ByteSource): Promise<ByteSource> {
  const limit = alwaysAllowed + mostGrowth * source.size;
  const folder = await mkdtemp(join(tmpdir(), 'nautil-nemo-'));
  const path = join(folder, 'content');
  try {
    await pipeline(
      chunksOf(source),
      createGunzip(),
      async function* (chunks: AsyncIterable<Buffer>) {
        let size = 0;
        for await (const chunk of chunks) {
          size += chunk.length;
          if (size > limit)
            throw new CorruptFile(source.name, `unpacks to more than ${limit} bytes from ${source.size}`);
          yield chunk;
        }
      },
      createWriteStream(path),
    );
    return await openByteSource(path, source.name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') throw cutOff(source.name, `its gzip stream ends too early, at byte ${source.size}`);
    if (code?.startsWith('Z_')) {
      throw new CorruptFile(source.name, `its gzip stream is broken (${(error as Error).message})`, { cause: error });
    }
    throw await explainWriteError(error, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
