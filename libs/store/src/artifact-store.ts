import { defineError, type FileRef } from '@nautil/contracts';
import { createReadStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { sha256Of } from './digest.js';
import { ChecksumMismatch, fetchFile } from './download/fetch-file.js';
import { networkFetch } from './http/network-fetch.js';
import { Store } from './store.js';
import { temporaryBeside, writeFileAtomic } from './write-file-atomic.js';

/** The place that workers of several machines pass files through cannot be used. */
export class ArtifactsUnavailable extends defineError('ArtifactsUnavailable', 'environment') {}

/**
 * A place that workers without a common disk pass files through: found by the digest of their content, and checked by it when they
 * are taken out. Beside them lie small texts under names, of which the newest counts.
 */
export interface ArtifactStore {
  /** As NAUTIL_ARTIFACTS names it. */
  readonly root: string;

  /** Keeps a copy of a file; does nothing when there is one. */
  put(file: FileRef): Promise<void>;

  /** Brings a file into a local store. */
  bring(file: Pick<FileRef, 'sha256' | 'sizeBytes'>, to: Store, name: string): Promise<FileRef>;
  writeText(name: string, text: string): Promise<void>;

  /** Undefined when nobody wrote it. */
  readText(name: string): Promise<string | undefined>;
}

/**
 * The artifact store at a folder that all workers mount, or at an http address that takes PUT and gives what was put by GET (a WebDAV
 * folder; MLflow's `http://HOST:PORT/api/2.0/mlflow-artifacts/artifacts/nautil`). Undefined when NAUTIL_ARTIFACTS names none.
 */
export function openArtifactStore(root = process.env['NAUTIL_ARTIFACTS']): ArtifactStore | undefined {
  if (!root) return undefined;
  if (/^https?:\/\//.test(root)) return new HttpArtifacts(root.replace(/\/+$/, ''));
  if (isAbsolute(root)) return new FolderArtifacts(root);
  throw new ArtifactsUnavailable(`NAUTIL_ARTIFACTS=${root} is neither an absolute folder nor an http address`, {
    retryable: false,
    hint: 'name a folder that all workers mount, or a server that takes PUT, the same for all of them',
  });
}

class FolderArtifacts implements ArtifactStore {
  readonly root: string;
  readonly #store: Store;

  constructor(root: string) {
    this.root = root;
    this.#store = new Store(root);
  }

  async put({ path, sha256, sizeBytes }: FileRef): Promise<void> {
    if (await this.#store.find({ sha256, sizeBytes })) return;
    const kept = await this.#store.put(path);
    if (kept.sha256 !== sha256) throw changed(path);
  }

  async bring({ sha256, sizeBytes }: FileRef, to: Store, name: string): Promise<FileRef> {
    const known = await to.find({ sha256, sizeBytes }, name);
    if (known) return known;
    if (!(await this.#store.find({ sha256, sizeBytes }))) throw missing(this.root, name, sha256);
    const brought = await to.put(this.#store.pathOf(sha256), name);
    if (brought.sha256 === sha256) return brought;
    await rm(this.#store.pathOf(sha256), { force: true }); // so that it is put again
    throw new ChecksumMismatch(`${this.#store.pathOf(sha256)} (${name}) holds other bytes than were put there`, {
      hint: 'it was removed, and comes again with the next run; check the disk',
    });
  }

  async writeText(name: string, text: string): Promise<void> {
    await writeFileAtomic(join(this.root, name), text);
  }

  async readText(name: string): Promise<string | undefined> {
    return readFile(join(this.root, name), 'utf8').catch(absent);
  }
}

class HttpArtifacts implements ArtifactStore {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async put({ path, sha256, sizeBytes }: FileRef): Promise<void> {
    const url = this.#urlOf(sha256);
    const there = await this.#ask(url);
    await there.body?.cancel();
    if (there.ok && Number(there.headers.get('content-length') ?? sizeBytes) === sizeBytes) return;
    await this.#send(url, () => createReadStream(path, { highWaterMark: 1 << 20 }), sizeBytes);
  }

  async bring({ sha256, sizeBytes }: FileRef, to: Store, name: string): Promise<FileRef> {
    const known = await to.find({ sha256, sizeBytes }, name);
    if (known) return known;
    const temporary = temporaryBeside(join(to.root, 'objects', 'incoming', sha256));
    try {
      await fetchFile({ url: this.#urlOf(sha256), to: temporary, sha256 });
      return await to.put(temporary, name);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async writeText(name: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#send(`${this.root}/${name}`, () => bytes, bytes.length);
  }

  async readText(name: string): Promise<string | undefined> {
    const response = await this.#ask(`${this.root}/${name}`);
    if (response.ok) return response.text();
    await response.body?.cancel();
    // A server that fails is told from one that has nothing: going on without would do work again.
    if (response.status < 500 || response.status === 501) return undefined;
    throw refused(`${this.root}/${name}`, response);
  }

  #urlOf(sha256: string): string {
    return `${this.root}/objects/${sha256.slice(0, 2)}/${sha256}`;
  }

  async #ask(url: string): Promise<Response> {
    const fetch = await networkFetch();
    return fetch(url, { headers: { 'accept-encoding': 'identity' } }).catch((error: unknown) => {
      throw unreachable(this.root, error);
    });
  }

  async #send(url: string, body: () => AsyncIterable<Uint8Array> | Uint8Array, sizeBytes: number): Promise<void> {
    const fetch = await networkFetch();
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) };
    const response = await fetch(url, { method: 'PUT', headers, body: body(), duplex: 'half' }).catch(
      (error: unknown) => {
        throw unreachable(this.root, error);
      },
    );
    await response.body?.cancel();
    if (!response.ok) throw refused(url, response);
  }
}

const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error;
};

const changed = (path: string): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${path} changed while it was passed on`, { retryable: true });

const missing = (root: string, name: string, sha256: string): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${name} (${sha256.slice(0, 12)}) is not in ${root}`, {
    retryable: true,
    hint: 'all workers must name the same place in NAUTIL_ARTIFACTS',
  });

const unreachable = (root: string, cause: unknown): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`the artifact store at ${root} does not answer`, {
    retryable: true,
    hint: 'it is named by NAUTIL_ARTIFACTS: start it, or check the address',
    cause,
  });

const refused = (url: string, { status }: Response): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${url}: the server answered ${status}`, {
    retryable: status >= 500 || status === 408 || status === 429,
    hint: 'NAUTIL_ARTIFACTS must name a server that takes PUT and gives it again by GET',
  });

/** Name of a text of one run, whatever characters its id holds. */
export const textOfRun = (workflowId: string, runKey: string): string =>
  `texts/${sha256Of(`${workflowId}\n${runKey}`)}.json`;
