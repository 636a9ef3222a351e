import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A path is a pipe, a socket or a device. `fileProblem` has the words for its code. */
class NotRegularFile extends Error {
  override readonly name = 'NotRegularFile';
  readonly code = 'ENOTREG';
  readonly path: string;

  constructor(path: string) {
    super(`ENOTREG: not a regular file, open '${path}'`);
    this.path = path;
  }
}

/** What the shell passes as an open file: the standard input, and `<(command)`. */
const inherited = /^\/dev\/(?:stdin|fd\/\d+)$/;

/**
 * Opens a file that somebody named, for reading. Use it in place of `open`, which waits for a writer if the path is a named pipe:
 * it then occupies a thread of Node's pool, where neither a signal nor a timeout reaches it, and a device may have no end.
 *
 * @throws an error of the system, or one with the code ENOTREG for a path that is neither a file nor a folder
 */
export async function openFile(path: string): Promise<FileHandle> {
  if (inherited.test(path)) return open(path, 'r');
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const found = await file.stat();
  if (found.isFile() || found.isDirectory()) return file;
  await file.close();
  throw new NotRegularFile(path);
}

/** The content of a file that somebody named; see `openFile`. */
export async function readWholeFile(path: string): Promise<Buffer<ArrayBuffer>> {
  const file = await openFile(path);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
