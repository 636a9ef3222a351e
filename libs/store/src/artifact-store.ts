import { readFile, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { defineError, type FileRef } from '@nautil/contracts';
import { ChecksumMismatch, fetchFile } from './download/fetch-file.js';
import { environmentVariable } from './environment-variable.js';
import { networkFetch } from './http/network-fetch.js';
import { readBody } from './http/read-body.js';
import { setAside } from './intact.js';
import { Store } from './store.js';
import { readChunks } from './streams/read-chunks.js';
import { temporaryBeside, writeFileAtomic } from './write-file-atomic.js';

/** The storage through which workers on several machines exchange files cannot be used. */
class ArtifactsUnavailable extends defineError('ArtifactsUnavailable', 'environment') {}

/**
 * Content-addressed storage that machines without a common disk share, plus a few named documents (the last write wins). The
 * content of a file is verified when it is downloaded.
 */
export interface ArtifactStore {
  /** The value of NAUTIL_ARTIFACTS. */
  readonly root: string;

  /** Uploads a file, unless it is stored already. */
  put(file: FileRef): Promise<void>;

  /** Downloads a file into a local store. */
  get(file: Pick<FileRef, 'sha256' | 'sizeBytes'>, to: Store, name: string): Promise<FileRef>;
  writeText(name: string, text: string): Promise<void>;

  /** Undefined when it was never written. */
  readText(name: string): Promise<string | undefined>;
}

/**
 * Opens the artifact store in a folder that all workers mount, or at an http address that accepts PUT and GET (a WebDAV folder;
 * MLflow's `http://HOST:PORT/api/2.0/mlflow-artifacts/artifacts/nautil`). Undefined when NAUTIL_ARTIFACTS is not set.
 */
export function openArtifactStore(root = environmentVariable('NAUTIL_ARTIFACTS')): ArtifactStore | undefined {
  if (!root) return undefined;
  if (/^https?:\/\//.test(root)) return new HttpArtifacts(root.replace(/\/+$/, ''));
  if (isAbsolute(root)) return new FolderArtifacts(root);
  throw new ArtifactsUnavailable(`NAUTIL_ARTIFACTS=${root} is neither an absolute folder nor an http address`, {
    retryable: false,
    hint: 'set it to a folder that all workers mount, or to a server that accepts PUT; it must be the same for all of them',
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
    if (await this.#store.has(sha256, sizeBytes)) return;
    const kept = await this.#store.put(path);
    if (kept.sha256 !== sha256) throw changed(path);
  }

  async get({ sha256, sizeBytes }: FileRef, to: Store, name: string): Promise<FileRef> {
    const known = await to.find({ sha256, sizeBytes }, name);
    if (known) return known;
    if (!(await this.#store.has(sha256, sizeBytes))) throw missing(this.root, name, sha256);
    const copy = await to.put(this.#store.pathOf(sha256), name);
    if (copy.sha256 === sha256) return copy;
    const kept = await setAside(this.#store.pathOf(sha256)); // so that the next put uploads it again
    throw new ChecksumMismatch(
      `${this.#store.pathOf(sha256)} (${name}) is damaged: its content does not match its digest`,
      {
        hint: `it was renamed to ${kept}, and the next run uploads it again; check the disk`,
      },
    );
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
    const existing = await this.#request(url);
    await existing.body?.cancel();
    if (existing.ok && Number(existing.headers.get('content-length') ?? sizeBytes) === sizeBytes) return;
    await this.#send(url, () => readChunks(path), sizeBytes);
  }

  async get({ sha256, sizeBytes }: FileRef, to: Store, name: string): Promise<FileRef> {
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
    const response = await this.#request(`${this.root}/${name}`);
    if (response.ok) {
      return (await readBody(response.body, `GET ${this.root}/${name}`, largestText)).toString('utf8');
    }
    await response.body?.cancel();
    // A server that fails may still have the text. Continuing as if it did not exist would repeat work.
    if (response.status < 500 || response.status === 501) return undefined;
    throw refused(`${this.root}/${name}`, response);
  }

  #urlOf(sha256: string): string {
    return `${this.root}/objects/${sha256.slice(0, 2)}/${sha256}`;
  }

  async #request(url: string): Promise<Response> {
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

/** The texts are records of a stage's files. */
const largestText = 16 << 20;

const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error;
};

const changed = (path: string): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${path} changed while it was uploaded`, { retryable: true });

const missing = (root: string, name: string, sha256: string): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${name} (${sha256.slice(0, 12)}) is not in ${root}`, {
    retryable: true,
    hint: 'NAUTIL_ARTIFACTS must be the same for all workers',
  });

const unreachable = (root: string, cause: unknown): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`the artifact store at ${root} does not respond`, {
    retryable: true,
    hint: 'NAUTIL_ARTIFACTS names it: start the server, or check the address',
    cause,
  });

const refused = (url: string, { status }: Response): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${url}: the server answered ${status}`, {
    retryable: status >= 500 || status === 408 || status === 429,
    hint: 'NAUTIL_ARTIFACTS must name a server that accepts PUT and GET',
  });
