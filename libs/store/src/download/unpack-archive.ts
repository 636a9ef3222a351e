import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isNativeError } from 'node:util/types';
import { crc32 } from 'node:zlib';
import { extract } from 'tar-stream';
import { type Entry, openPromise } from 'yauzl';
import { defineError, NautilError } from '@nautil/contracts';
import { explainWriteError, formatBytes } from '../disk-full.js';
import { createFolder, fileMode } from '../folders/create-folder.js';
import { syncFolder } from '../folders/sync-folder.js';
import { guardStream, gunzipped } from '../streams/guard-stream.js';
import { openFile } from '../streams/open-file.js';
import { readChunks } from '../streams/read-chunks.js';
import { temporaryBeside } from '../write-file-atomic.js';

/** An archive is damaged or unsafe; nothing of it was kept. */
export class BadArchive extends defineError('BadArchive', 'data') {}

export interface UnpackOptions {
  /** A tar, tar.gz, zip or gz file, recognized by its content rather than its name. */
  archive: string;

  /** The folder to create. It must not exist yet. */
  to: string;

  /**
   * Limit for all files together; default 200 times the size of the archive plus 100 MB. Text stays far below that, a
   * decompression bomb exceeds it.
   */
  maxBytes?: number;

  /** Default 1,000,000. */
  maxFiles?: number;

  signal?: AbortSignal | undefined;
}

/**
 * Unpacks an archive into a new folder, completely or not at all. It refuses paths outside the folder, links, devices, duplicate
 * names, and more bytes or files than allowed. A gz file that holds no tar becomes one file, without the ending `.gz`.
 *
 * @returns the files' paths inside `to`, sorted by code unit
 * @throws BadArchive, DiskFull
 */
export async function unpackArchive(options: UnpackOptions): Promise<string[]> {
  const { signal } = options;
  const archive = resolve(options.archive);
  const to = resolve(options.to);
  const { size } = await stat(archive);
  const maxBytes = options.maxBytes ?? 200 * size + 100e6;
  const temporary = temporaryBeside(to);
  const files = new NewFiles(archive, temporary, maxBytes, options.maxFiles ?? 1_000_000);
  try {
    await createFolder(temporary);
    const kind = await kindOf(archive);
    if (kind === undefined) {
      throw new BadArchive(`${archive} is not a tar, zip or gzip file`, {
        hint: 'pass a folder, or unpack the file first',
      });
    }
    if (kind === 'zip') await unpackZip(archive, files, signal);
    else if (kind === 'tar') await unpackTar(archive, readChunks(archive), files, signal);
    else if (await holdsTar(archive)) await unpackTar(archive, gunzipped(readChunks(archive)), files, signal);
    else {
      const name = basename(archive).replace(/\.gz$/i, '') || 'content';
      await files.write(name, () => gunzipped(readChunks(archive)), signal);
    }
    await rename(temporary, to).catch((error: unknown) => {
      const code = codeOf(error);
      throw code === 'ENOTEMPTY' || code === 'ENOTDIR' ? new BadArchive(`${to} already exists`) : error;
    });
    await syncFolder(dirname(to));
    return files.names.sort();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof NautilError) throw error;
    const explained = await explainWriteError(error, to);
    if (explained !== error || !isContentError(error)) throw explained;
    throw new BadArchive(`${archive} cannot be unpacked: ${(error as Error).message}`, {
      hint: 'it is damaged, incomplete or malicious: download it again and compare its checksum',
      cause: error,
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Errors of zlib, tar-stream and yauzl concern the content; those of the file system name a system call. */
const isContentError = (error: unknown): boolean => isNativeError(error) && !('syscall' in error);

/** Whether `unpackArchive` should handle a file: it is an archive, or is named like one, in which case an error explains the problem. */
export async function isArchive(file: string): Promise<boolean> {
  return /\.(?:tar|tgz|zip|gz|bz2|xz|7z|rar|zst)$/i.test(file) || (await kindOf(file)) !== undefined;
}

async function kindOf(archive: string): Promise<'tar' | 'zip' | 'gzip' | undefined> {
  const file = await openFile(archive);
  try {
    const head = Buffer.alloc(512);
    const { bytesRead } = await file.read(head, 0, 512, 0);
    if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
    if (head.toString('latin1', 0, 4) === 'PK\x03\x04' || head.toString('latin1', 0, 4) === 'PK\x05\x06') return 'zip';
    if (isTarHead(head.subarray(0, bytesRead))) return 'tar';
    return undefined;
  } finally {
    await file.close();
  }
}

const isTarHead = (head: Buffer): boolean => head.length === 512 && head.toString('latin1', 257, 262) === 'ustar';

async function holdsTar(archive: string): Promise<boolean> {
  const chunks: Buffer[] = [];
  for await (const chunk of gunzipped(readChunks(archive))) {
    chunks.push(chunk);
    if (chunks.reduce((sum, { length }) => sum + length, 0) >= 512) break;
  }
  return isTarHead(Buffer.concat(chunks).subarray(0, 512));
}

async function unpackTar(
  archive: string,
  content: AsyncIterable<Uint8Array>,
  files: NewFiles,
  signal?: AbortSignal,
): Promise<void> {
  const entries = extract();
  const reading = pipeline(content, entries, { signal });
  reading.catch(() => undefined); // the loop below throws the same error
  for await (const entry of entries) {
    const { name, type } = entry.header;
    if (type === 'directory') await files.makeFolder(name);
    else if (type === 'file' || type === 'contiguous-file') {
      await files.write(name, () => entry as unknown as AsyncIterable<Uint8Array>, signal); // its types lag behind
    } else throw new BadArchive(`${archive}: ${name} is a ${type}; only files and folders are unpacked`);
    entry.resume();
  }
  await reading;
}

async function unpackZip(archive: string, files: NewFiles, signal?: AbortSignal): Promise<void> {
  const zip = await openPromise(archive, { lazyEntries: true, strictFileNames: false, validateEntrySizes: true });
  zip.on('error', () => undefined); // eachEntry throws it; afterwards only closing the file can fail
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      const { fileName } = entry;
      if (isZipLink(entry))
        throw new BadArchive(`${archive}: ${fileName} is a link; only files and folders are unpacked`);
      if (entry.isEncrypted())
        throw new BadArchive(`${archive}: ${fileName} is encrypted`, { hint: 'unpack it first' });
      if (fileName.endsWith('/')) await files.makeFolder(fileName);
      else {
        const sum = await files.write(
          fileName,
          async () => guardStream(await zip.openReadStreamPromise(entry)),
          signal,
        );
        if (sum !== entry.crc32) throw new BadArchive(`${archive}: ${fileName} is damaged: its checksum is wrong`);
      }
    }
  } finally {
    zip.close();
  }
}

const isZipLink = (entry: Entry): boolean => ((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000;

/** Linux's limits, in bytes; a temporary name is longer than the final one. */
const longestName = 255;
const longestPath = 4000;

/** Writes the files of one archive, and enforces the limits. */
class NewFiles {
  readonly names: string[] = [];
  readonly #archive: string;
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  #bytes = 0;
  #entries = 0;

  constructor(archive: string, folder: string, maxBytes: number, maxFiles: number) {
    this.#archive = archive;
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#maxFiles = maxFiles;
  }

  async makeFolder(name: string): Promise<void> {
    await this.#make(this.#pathOf(name), name);
  }

  /**
   * Writes one file and returns the CRC-32 of its content.
   *
   * @param openContent - called once the file exists, so that nothing is read before its reader is there
   */
  async write(
    name: string,
    openContent: () => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>,
    signal?: AbortSignal,
  ): Promise<number> {
    const path = this.#pathOf(name);
    await this.#make(dirname(path), name);
    const file = await open(path, 'wx', fileMode(path)).catch((error: unknown) => {
      throw codeOf(error) === 'EEXIST' ? new BadArchive(`${this.#archive} contains ${name} twice`) : error;
    });
    let sum = 0;
    try {
      for await (const chunk of await openContent()) {
        signal?.throwIfAborted();
        this.#bytes += chunk.length;
        if (this.#bytes > this.#maxBytes) {
          throw new BadArchive(
            `${this.#archive} unpacks to more than ${formatBytes(this.#maxBytes)}: it may be a decompression bomb`,
            { hint: 'if you trust it, unpack it yourself and pass the folder' },
          );
        }
        sum = crc32(chunk, sum);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    this.names.push(path.slice(this.#folder.length + 1));
    return sum;
  }

  async #make(folder: string, name: string): Promise<void> {
    await createFolder(folder).catch((error: unknown) => {
      const taken = codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOTDIR';
      throw taken ? new BadArchive(`${this.#archive} contains ${name} as a file and as a folder`) : error;
    });
  }

  #pathOf(name: string): string {
    this.#entries += 1;
    if (this.#entries > this.#maxFiles) {
      throw new BadArchive(`${this.#archive} holds more than ${this.#maxFiles} files`);
    }
    const parts = name.replaceAll('\\', '/').split('/');
    const unsafe = name.startsWith('/') || name.includes('\0') || /^[A-Za-z]:/.test(name) || parts.includes('..');
    if (unsafe) {
      throw new BadArchive(`${this.#archive}: ${JSON.stringify(name)} would be written outside its folder`, {
        hint: 'the archive is malicious, or a faulty program made it; do not use it',
      });
    }
    const path = join(this.#folder, ...parts.filter((part) => part !== '' && part !== '.'));
    if (parts.some((part) => Buffer.byteLength(part) > longestName) || Buffer.byteLength(path) > longestPath) {
      throw new BadArchive(`${this.#archive}: ${name.slice(0, 80)}… is longer than a file system's names`, {
        hint: 'unpack it yourself under shorter names, and pass the folder',
      });
    }
    return path;
  }
}
