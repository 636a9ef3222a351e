import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, link, mkdir, open, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileRef } from '@nautil/contracts';
import { explainWriteError } from './disk-full.js';
import { nautilHome } from './folders/package-root.js';
import { withLock } from './with-lock.js';
import { removeAbandoned, syncFolder, temporaryBeside } from './write-file-atomic.js';

/**
 * Content-addressed storage: one folder with files that are found by the SHA-256 of their content.
 *
 *     objects/ab/abcd…        the bytes of a file, read-only
 *     names/abcd…/model.nemo  the same file (a hard link) under a readable name
 *     stages/train/KEY/       the output of a stage, found by the hash of its inputs: see stageOutput
 */
export class Store {
  /** Absolute path of the store's folder. */
  readonly root: string;

  /** @param root default: `store` in the state folder, see nautilHome */
  constructor(root: string = join(nautilHome(), 'store')) {
    this.root = resolve(root);
  }

  /** The path of an object, whether it exists or not. */
  pathOf(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new TypeError(`${sha256} is not a lower-case hex SHA-256`);
    return join(this.root, 'objects', sha256.slice(0, 2), sha256);
  }

  async has(sha256: string): Promise<boolean> {
    return (await sizeOf(this.pathOf(sha256))) !== undefined;
  }

  /**
   * Stores a copy of a file (given by its path) or of bytes. Storing the same content twice writes it once. With a name, the
   * path of the reference ends in that name.
   *
   * @throws DiskFull; then nothing was stored
   */
  async put(source: string | Uint8Array, name?: string): Promise<FileRef> {
    if (name !== undefined && (name !== basename(name) || name.startsWith('.') || name === '')) {
      throw new TypeError(`${JSON.stringify(name)} is not a plain file name`);
    }
    return this.#putBytes(source, name);
  }

  /**
   * Holds the lock under which objects are placed and removed, so that a garbage collection cannot remove an object that
   * `put` or `find` is about to return.
   */
  whilePlacing<T>(work: () => Promise<T>): Promise<T> {
    return withLock(join(this.root, 'locks', 'objects'), work);
  }

  /** Finds a stored file, under a name as in `put`; undefined when it is not stored. */
  find({ sha256, sizeBytes }: Pick<FileRef, 'sha256' | 'sizeBytes'>, name?: string): Promise<FileRef | undefined> {
    return this.whilePlacing(async () => {
      if ((await sizeOf(this.pathOf(sha256))) !== sizeBytes) return undefined;
      return { path: await this.#place('', { sha256, sizeBytes }, name), sha256, sizeBytes };
    });
  }

  async #putBytes(source: string | Uint8Array, name?: string): Promise<FileRef> {
    const inbox = join(this.root, 'objects', 'incoming');
    const temporary = temporaryBeside(join(inbox, 'object'));
    const hash = createHash('sha256');
    let sizeBytes = 0;
    try {
      await mkdir(inbox, { recursive: true });
      await removeAbandoned(inbox);
      const file = await open(temporary, 'wx', 0o644);
      try {
        const chunks = typeof source === 'string' ? createReadStream(source, { highWaterMark: 1 << 20 }) : [source];
        await writeFile(
          file,
          (async function* () {
            for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
              hash.update(chunk);
              sizeBytes += chunk.byteLength;
              yield chunk;
            }
          })(),
        );
        await file.sync();
      } finally {
        await file.close();
      }
      const sha256 = hash.digest('hex');
      const path = await this.whilePlacing(() => this.#place(temporary, { sha256, sizeBytes }, name));
      return { path, sha256, sizeBytes };
    } catch (error) {
      throw await explainWriteError(error, typeof source === 'string' ? `${this.root} (copy of ${source})` : this.root);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #place(temporary: string, o: { sha256: string; sizeBytes: number }, name?: string): Promise<string> {
    const path = this.pathOf(o.sha256);
    if ((await sizeOf(path)) === o.sizeBytes) {
      const now = new Date();
      await utimes(path, now, now); // garbage collection removes by the time of last use
    } else {
      await mkdir(dirname(path), { recursive: true });
      await chmod(temporary, 0o444);
      await rename(temporary, path);
      await syncFolder(dirname(path));
    }
    if (name === undefined) return path;
    const named = join(this.root, 'names', o.sha256, name);
    await mkdir(dirname(named), { recursive: true });
    await link(path, named).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
    return named;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
