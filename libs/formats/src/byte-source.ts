import { constants } from 'node:buffer';
import { createHash } from 'node:crypto';
import { counted, fileProblem } from '@nautil/contracts';
import { openFile } from '@nautil/store/streams';
import { CorruptFile, cutOff, FileUnavailable, UnsupportedFile } from './errors.js';

/** Bytes that are read by range, so that reading a checkpoint of any size needs memory for only one tensor. */
export interface ByteSource {
  /** The name used in error messages: the file's path, followed by the member's name for a part of an archive. */
  readonly name: string;

  readonly size: number;

  /** Returns a copy of exactly `length` bytes, in its own buffer. */
  read(offset: number, length: number): Promise<Uint8Array>;

  close(): Promise<void>;
}

// Linux moves at most 0x7ffff000 bytes in one read.
const largestRead = 1 << 30;

/** Opens a file for reading by range; `name` is used in error messages. */
export async function openByteSource(path: string, name = path): Promise<ByteSource> {
  const file = await openFile(path).catch((cause: unknown) => {
    const error = cause as NodeJS.ErrnoException;
    if (error.code === 'ENOENT')
      throw new FileUnavailable(path, 'there is no such file', {
        hint: 'check the path; a relative path starts in the current folder',
        cause: error,
      });
    throw new FileUnavailable(path, fileProblem(error) ?? `can't be opened (${error.code ?? error.message})`, {
      hint: 'name a file that this user may read',
      cause: error,
    });
  });
  const found = await file.stat();
  if (!found.isFile()) {
    await file.close();
    throw new FileUnavailable(path, `this is a ${found.isDirectory() ? 'folder' : 'special file'}, not a file`, {
      hint: 'name a file, such as a .nemo archive or a checkpoint in the folder of a run',
    });
  }
  return {
    name,
    size: found.size,
    async read(offset, length) {
      checkRange(name, found.size, offset, length);
      const bytes = allocate(name, length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await file.read(bytes, done, Math.min(length - done, largestRead), offset + done);
        if (bytesRead === 0) throw new CorruptFile(name, `was truncated while being read (at byte ${offset + done})`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

/** A part of a source, with its own name. Closing the part does not close the whole. */
export function partOf(whole: ByteSource, name: string, start: number, size: number): ByteSource {
  return {
    name,
    size,
    read(offset, length) {
      checkRange(name, size, offset, length);
      return whole.read(start + offset, length);
    },
    close: () => Promise.resolve(),
  };
}

const chunkSize = 1 << 20;

/** All bytes of a source, in pieces. */
export async function* chunksOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size; at += chunkSize)
    yield await source.read(at, Math.min(chunkSize, source.size - at));
}

/** Digest of all bytes, as 64 hex digits. */
export async function sha256OfSource(source: ByteSource): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunksOf(source)) hash.update(chunk);
  return hash.digest('hex');
}

function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw cutOff(
    name,
    `a read of ${counted(length, 'byte')} at byte ${offset} exceeds its size, ${counted(size, 'byte')}`,
  );
}

function allocate(path: string, length: number): Uint8Array {
  if (length > constants.MAX_LENGTH) {
    throw new UnsupportedFile(path, `a tensor of ${length} bytes is more than this Node.js can hold in one piece`);
  }
  return new Uint8Array(length);
}
