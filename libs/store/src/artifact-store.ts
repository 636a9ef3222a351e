import { readFile, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { defineError, type FileRef, maskSecrets } from '@nautil/contracts';
import { DownloadFailed } from './download/download-request.js';
import { ChecksumMismatch, fetchFile } from './download/fetch-file.js';
import { environmentVariable } from './environment-variable.js';
import { loginIn, mlflowLogin } from './http/mlflow-login.js';
import { mlflowTls } from './http/mlflow-tls.js';
import { networkFailure } from './http/network-failure.js';
import { type Fetch, networkFetch } from './http/network-fetch.js';
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
 *
 * A server gets the user and the password in the address. The origin in MLFLOW_TRACKING_URI gets MLflow's login and TLS settings, too.
 */
export function openArtifactStore(root = environmentVariable('NAUTIL_ARTIFACTS')): ArtifactStore | undefined {
  if (!root) return undefined;
  if (/^https?:\/\//.test(root) && URL.canParse(root)) return new HttpArtifacts(root);
  if (isAbsolute(root)) return new FolderArtifacts(root);
  throw new ArtifactsUnavailable(
    `NAUTIL_ARTIFACTS=${maskSecrets(root)} is neither an absolute folder nor an http address`,
    {
      retryable: false,
      hint: 'set it to a folder that all workers mount, or to a server that accepts PUT; it must be the same for all of them',
    },
  );
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

  /** Without a login and a trailing slash. */
  readonly #address: string;

  /** With the login, if there is one. */
  readonly #headers: Record<string, string>;
  readonly #fetch: () => Promise<Fetch>;

  constructor(root: string) {
    this.root = root;
    const url = new URL(root);
    const mlflow = trackingServer();
    const isMlflow = mlflow?.origin === url.origin;
    const authorization = loginIn(url) ?? (isMlflow ? mlflowLogin(mlflow) : undefined);
    this.#headers = authorization === undefined ? {} : { authorization };
    const tls = isMlflow && url.protocol === 'https:' ? mlflowTls() : undefined;
    this.#fetch = () => networkFetch(tls && { tls, origin: url.origin });
    url.username = url.password = ''; // fetch refuses an address with a password, and messages must not show it
    this.#address = url.href.replace(/\/+$/, '');
  }

  async put({ path, sha256, sizeBytes }: FileRef): Promise<void> {
    const url = this.#urlOf(sha256);
    const existing = await this.#read(url);
    await existing?.body?.cancel();
    if (existing && Number(existing.headers.get('content-length') ?? sizeBytes) === sizeBytes) return;
    await this.#send(url, () => readChunks(path), sizeBytes);
  }

  async get({ sha256, sizeBytes }: FileRef, to: Store, name: string): Promise<FileRef> {
    const known = await to.find({ sha256, sizeBytes }, name);
    if (known) return known;
    const url = this.#urlOf(sha256);
    const temporary = temporaryBeside(join(to.root, 'objects', 'incoming', sha256));
    try {
      await fetchFile({ url, to: temporary, sha256, headers: this.#headers, fetch: await this.#fetch() });
      return await to.put(temporary, name);
    } catch (error) {
      const status = error instanceof DownloadFailed ? error.status : undefined;
      throw status === 401 || status === 403 ? refused(url, status) : error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async writeText(name: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#send(`${this.#address}/${name}`, () => bytes, bytes.length);
  }

  async readText(name: string): Promise<string | undefined> {
    const url = `${this.#address}/${name}`;
    const response = await this.#read(url);
    return response && (await readBody(response.body, `GET ${url}`, largestText)).toString('utf8');
  }

  #urlOf(sha256: string): string {
    return `${this.#address}/objects/${sha256.slice(0, 2)}/${sha256}`;
  }

  /**
   * A successful response, or undefined if nothing was ever written there. Every other response is an error: a server that fails or
   * refuses may still have the content, and continuing as if it did not exist would repeat work.
   */
  async #read(url: string): Promise<Response | undefined> {
    const response = await this.#request(url, { headers: { 'accept-encoding': 'identity' } });
    if (response.ok) return response;
    if (response.status === 500) {
      const body = await readBody(response.body, `GET ${url}`, largestText);
      if (isMissingInBucket(body.toString('utf8'))) return undefined;
    } else await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw refused(url, response.status);
  }

  async #send(url: string, body: () => AsyncIterable<Uint8Array> | Uint8Array, sizeBytes: number): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) };
    const response = await this.#request(url, { method: 'PUT', headers, body: body(), duplex: 'half' });
    await response.body?.cancel();
    if (!response.ok) throw refused(url, response.status);
  }

  async #request(url: string, options: Parameters<Fetch>[1]): Promise<Response> {
    const fetch = await this.#fetch();
    const headers = { ...this.#headers, ...options?.headers };
    return fetch(url, { ...options, headers }).catch((error: unknown) => {
      throw unreachable(this.#address, error);
    });
  }
}

/** The server in MLFLOW_TRACKING_URI, if it has an http address. */
function trackingServer(): URL | undefined {
  const address = environmentVariable('MLFLOW_TRACKING_URI') ?? '';
  return /^https?:/.test(address) && URL.canParse(address) ? new URL(address) : undefined;
}

/**
 * Whether a response with status 500 is what MLflow answers for an artifact that its bucket lacks: it passes on the message of botocore's
 * ClientError, "An error occurred (404) when calling the HeadObject operation: Not Found".
 */
const isMissingInBucket = (body: string): boolean =>
  /An error occurred \((?:404|NoSuchKey)\) when calling the (?:HeadObject|GetObject) operation/.test(body);

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

const unreachable = (address: string, cause: unknown): ArtifactsUnavailable => {
  const reason = networkFailure(cause)?.message;
  return new ArtifactsUnavailable(
    `the artifact store at ${address} does not respond${reason === undefined ? '' : `: ${reason}`}`,
    { retryable: true, hint: 'NAUTIL_ARTIFACTS names it: start the server, or check the address', cause },
  );
};

const refused = (url: string, status: number): ArtifactsUnavailable =>
  new ArtifactsUnavailable(`${url}: the server answered ${status}`, {
    retryable: status >= 500 || status === 408 || status === 429,
    hint: status === 401 || status === 403 ? loginHint : 'NAUTIL_ARTIFACTS must name a server that accepts PUT and GET',
  });

const loginHint = [
  'at the origin in MLFLOW_TRACKING_URI, set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, for all workers',
  'for any other server, write the login into the address: NAUTIL_ARTIFACTS=https://USER:PASSWORD@HOST/FOLDER',
].join('\n');
