import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainWriteError } from '@nautil/store';
import { gunzipped } from '@nautil/store/streams';
import { type ByteSource, chunksOf, openByteSource } from '../byte-source.js';
import { CorruptFile, cutOff } from '../errors.js';

// Weights hardly compress (1.1 to 1). A file that grows by more than this was made to fill the disk.
const mostGrowth = 20;
const alwaysAllowed = 64 << 20;

/** Unpacks a gzip file for random access, into an open temporary file that is already deleted from its folder. */
export async function gunzip(source: ByteSource): Promise<ByteSource> {
  const folder = await mkdtemp(join(tmpdir(), 'nautil-nemo-'));
  const path = join(folder, 'content');
  try {
    await writeFile(path, limited(gunzipped(chunksOf(source)), source));
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

/** @throws CorruptFile for more bytes than genuine content unpacks to */
async function* limited(chunks: AsyncIterable<Buffer>, { name, size }: ByteSource): AsyncGenerator<Buffer> {
  const limit = alwaysAllowed + mostGrowth * size;
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > limit) throw new CorruptFile(name, `unpacks to more than ${limit} bytes from ${size}`);
    yield chunk;
  }
}
