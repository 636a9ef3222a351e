import { createHash } from 'node:crypto';
import { chmod, link, open, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileRef } from '@nautil/contracts';
import { explainWriteError } from './disk-full.js';
import { createFolder, fileMode } from './folders/create-folder.js';
import { nautilHome } from './folders/package-root.js';
import { syncFolder } from './folders/sync-folder.js';
import { isIntact, setAside } from './intact.js';
import { recordSha256 } from './known-digests.js';
import { readChunks } from './streams/read-chunks.js';
import { withLock } from './with-lock.js';
import { removeAbandoned, temporaryBeside } from './write-file-atomic.js';

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

  /** Whether an object exists, of that size if one is given. Its content is not checked. */
  async has(sha256: string, sizeBytes?: number): Promise<boolean> {
    const size = await sizeOf(this.pathOf(sha256));
    return size !== undefined && (sizeBytes === undefined || size === sizeBytes);
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

  /** Finds a stored file, under a name as in `put`; undefined when it is not stored. A damaged object is set aside. */
  async find(
    { sha256, sizeBytes }: Pick<FileRef, 'sha256' | 'sizeBytes'>,
    name?: string,
  ): Promise<FileRef | undefined> {
    if (!(await this.#hasIntact({ sha256, sizeBytes }))) return undefined;
    return this.whilePlacing(async () => {
      if (!(await this.has(sha256, sizeBytes))) return undefined;
      return { path: await this.#place(undefined, { sha256, sizeBytes }, name), sha256, sizeBytes };
    });
  }

  async #putBytes(source: string | Uint8Array, name?: string): Promise<FileRef> {
    const inbox = join(this.root, 'objects', 'incoming');
    const temporary = temporaryBeside(join(inbox, 'object'));
    const hash = createHash('sha256');
    let sizeBytes = 0;
    try {
      await createFolder(inbox);
      await removeAbandoned(inbox);
      const file = await open(temporary, 'wx', fileMode(temporary));
      try {
        const chunks = typeof source === 'string' ? readChunks(source) : [source];
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
      await this.#hasIntact({ sha256, sizeBytes });
      const path = await this.whilePlacing(() => this.#place(temporary, { sha256, sizeBytes }, name));
      return { path, sha256, sizeBytes };
    } catch (error) {
      throw await explainWriteError(error, typeof source === 'string' ? `${this.root} (copy of ${source})` : this.root);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #place(
    temporary: string | undefined,
    o: { sha256: string; sizeBytes: number },
    name?: string,
  ): Promise<string> {
    const path = this.pathOf(o.sha256);
    if (temporary === undefined || (await this.has(o.sha256, o.sizeBytes))) {
      const now = new Date();
      await utimes(path, now, now); // garbage collection removes by the time of last use
    } else {
      await createFolder(dirname(path));
      await chmod(temporary, fileMode(path) & 0o444);
      await rename(temporary, path);
    }
    // Also when the object was there: the process that stored it may have been killed before this call.
    await syncFolder(dirname(path));
    if (name === undefined) {
      await recordSha256(path, o.sha256);
      return path;
    }
    const named = join(this.root, 'names', o.sha256, name);
    await createFolder(dirname(named));
    // A name may still refer to a damaged object that was set aside.
    if ((await inodeOf(named)) !== (await inodeOf(path))) {
      await rm(named, { force: true });
      await link(path, named);
    }
    await syncFolder(dirname(named));
    await recordSha256(path, o.sha256);
    return named;
  }

  /**
   * Compares an object with its digest. A damaged one is renamed, with a warning, so that another can take its place. The file
   * is read without the lock, because that may take long.
   */
  async #hasIntact({ sha256, sizeBytes }: Pick<FileRef, 'sha256' | 'sizeBytes'>): Promise<boolean> {
    const object = { path: this.pathOf(sha256), sha256, sizeBytes };
    if (!(await this.has(sha256))) return false;
    if (await isIntact(object)) return true;
    await this.whilePlacing(async () => {
      // Another process may have replaced it in the meantime.
      if (!(await this.has(sha256)) || (await isIntact(object))) return;
      process.emitWarning(
        `${object.path} does not match its SHA-256, and was renamed to ${await setAside(object.path)}`,
      );
    });
    return false;
  }
}

const inodeOf = async (path: string): Promise<number | undefined> => (await stat(path).catch(() => undefined))?.ino;

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
