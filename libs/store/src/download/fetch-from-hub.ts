import { createHash } from 'node:crypto';
import { readFile, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isNativeError } from 'node:util/types';
import type { ListFileEntry } from '@huggingface/hub';
import { Type } from '@sinclair/typebox';
import { defineError, type NautilErrorOptions } from '@nautil/contracts';
import { jsonValidator } from '@nautil/contracts/schemas';
import { environmentVariable } from '../environment-variable.js';
import { createFolder } from '../folders/create-folder.js';
import { syncFolder } from '../folders/sync-folder.js';
import { withIdleTimeout } from '../http/idle-timeout.js';
import { networkFetch } from '../http/network-fetch.js';
import { readBody } from '../http/read-body.js';
import { RetryableError } from '../http/retryable-error.js';
import { withRetries } from '../http/with-retries.js';
import { readChunks } from '../streams/read-chunks.js';
import { writeFileAtomic } from '../write-file-atomic.js';
import { DownloadFailed, type DownloadRequest, idleTimeoutOf } from './download-request.js';
import { fetchFile } from './fetch-file.js';
import { hubCacheFolder, hubHome, type HubRepository, hubRepositoryFolder } from './hub-cache.js';

/** The hub could not be used: offline mode is set, it cannot be reached, or it failed. The cache may still have the files. */
export class HubUnavailable extends defineError('HubUnavailable', 'environment') {
  /** True when the hub responds but fails, which may pass soon; a hub that cannot be reached needs the user. */
  override readonly retryable: boolean;

  constructor(message: string, { retryable = false, ...options }: NautilErrorOptions & { retryable?: boolean }) {
    super(message, options);
    this.retryable = retryable;
  }
}

/** The hub has no such repository or file, or does not show it to this user. */
export class HubRefused extends defineError('HubRefused', 'config') {}

export interface HubFetchOptions extends Pick<DownloadRequest, 'attempts' | 'backoffMs' | 'idleTimeoutMs' | 'signal'> {
  repository: HubRepository;

  /** Chooses files of the repository, in the order in which they are fetched. */
  choose: (paths: readonly string[]) => readonly string[];

  /** Called when each file has arrived; an error that it throws ends the download. */
  onFile?: ((path: string, file: string) => Promise<void>) | undefined;
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;

  /** Default: hubCacheFolder(). */
  cache?: string | undefined;

  /** State folder that holds the locks of the downloads; default nautilHome(). */
  home?: string | undefined;
}

export interface HubSnapshot {
  /** Holds the files under their names in the repository. */
  folder: string;

  /** The commit to which `main` pointed. */
  revision: string;

  /** Bytes that were not in the cache. */
  fetchedBytes: number;
}

/**
 * Downloads files of a repository into Hugging Face's cache, in the layout that its own libraries read: `blobs/HASH`, named
 * by content, with `snapshots/COMMIT/PATH` and `refs/main` pointing at them. Each file resumes where it was interrupted and
 * is compared with the hash that the hub lists. `refs/main` is written last, so that it never names an incomplete snapshot.
 * HF_ENDPOINT, HF_TOKEN (or the token of the logged-in user) and HF_HUB_OFFLINE mean what they mean in those libraries.
 *
 * @throws HubUnavailable, HubRefused, DownloadFailed, ChecksumMismatch, DiskFull
 */
export async function fetchFromHub(options: HubFetchOptions): Promise<HubSnapshot> {
  const { repository, choose, onFile, onProgress, cache = hubCacheFolder(), ...request } = options;
  const hub = await connect(repository, request);
  const { revision, files } = await hub.list();
  const root = hubRepositoryFolder(repository, cache);
  const folder = join(root, 'snapshots', revision);

  const chosen = choose([...files.keys()]).flatMap((path) => files.get(path) ?? []);
  const totalBytes = chosen.reduce((sum, { size }) => sum + size, 0);
  let doneBytes = 0;
  let fetchedBytes = 0;
  for (const file of chosen) {
    const blob = join(root, 'blobs', hashOf(file));
    if ((await sizeOf(blob)) !== file.size) {
      await hub.fetch(file, revision, blob, (bytes) => onProgress?.(doneBytes + bytes, totalBytes));
      fetchedBytes += file.size;
    }
    doneBytes += file.size;
    onProgress?.(doneBytes, totalBytes);
    const place = join(folder, file.path);
    await linkToBlob(blob, place);
    await onFile?.(file.path, place);
  }
  if (chosen.length > 0) await writeFileAtomic(join(root, 'refs', 'main'), revision);
  return { folder, revision, fetchedBytes };
}

/** How long a hub may send nothing before it counts as out of reach: long enough for one far away, and short enough to wait for. */
const probeTimeoutMs = 3000;

/** Why a repository can't be fetched now, as the download would state it; undefined if the hub lists its files. */
export async function hubProblem(
  repository: HubRepository,
  { idleTimeoutMs = probeTimeoutMs }: Pick<HubFetchOptions, 'idleTimeoutMs'> = {},
): Promise<HubUnavailable | HubRefused | undefined> {
  try {
    const hub = await connect(repository, { attempts: 1, idleTimeoutMs });
    await hub.list();
    return undefined;
  } catch (error) {
    if (error instanceof HubUnavailable || error instanceof HubRefused) return error;
    throw error;
  }
}

/** The hub that HF_ENDPOINT names, or Hugging Face's own. */
function hubEndpoint(): string {
  const endpoint = (environmentVariable('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new HubRefused(`HF_ENDPOINT is ${endpoint}, which is not the address of a server`, {
      hint: 'write it as https://HOST, or unset it',
    });
  if (url.username !== '' || url.password !== '')
    throw new HubRefused(`HF_ENDPOINT contains a user name or a password: ${endpoint}`, {
      hint: 'leave them out, and set HF_TOKEN to a token of this hub',
    });
  return endpoint;
}

/** A page of a listing has a thousand entries. */
const largestListing = 16 << 20;

const isOffline = (): boolean =>
  /^(?:1|on|yes|true)$/i.test(
    environmentVariable('HF_HUB_OFFLINE') ?? environmentVariable('TRANSFORMERS_OFFLINE') ?? '',
  );

const validateEntry = jsonValidator(
  Type.Object({
    type: Type.String(),
    path: Type.String(),
    size: Type.Number(),
    oid: Type.Optional(Type.String()),
    lfs: Type.Optional(Type.Object({ oid: Type.String(), size: Type.Number() })),
  }),
);

/** Connects to one repository of the hub, with the user's token if there is one. */
async function connect(
  repository: HubRepository,
  request: Omit<DownloadRequest, 'url'> & { home?: string | undefined },
) {
  const { type, name } = repository;
  const endpoint = hubEndpoint();
  if (isOffline()) {
    throw new HubUnavailable(`the ${type} ${name} was not fetched from the hub at ${endpoint}: HF_HUB_OFFLINE is set`, {
      hint: `unset HF_HUB_OFFLINE, or put the ${type} into the cache, ${hubCacheFolder()}`,
    });
  }
  const api = await import('@huggingface/hub');
  const network = await networkFetch();
  const token = await findToken();
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // The library has no time-out, no proxy and no retry, and it accepts only one form of token.
  const apiFetch = ((url: string) =>
    withIdleTimeout(idleTimeoutOf(request), async ({ signal }) => {
      const isHub = new URL(url).origin === new URL(endpoint).origin;
      const response = await network(url, {
        headers: { accept: 'application/json', ...(isHub ? headers : {}) },
        signal,
      });
      const { status, headers: responseHeaders } = response;
      const body = await readBody(response.body, `GET ${url}`, largestListing);
      return new Response(body, { status, headers: responseHeaders });
    })) as unknown as typeof fetch;

  const callApi = async <T>(call: () => Promise<T>): Promise<T> => {
    const attempt = async (): Promise<T> => {
      try {
        return await call();
      } catch (error) {
        if (error instanceof api.HubApiError) throw statusFailure(error.statusCode);
        if (isNativeError(error) && error.name === 'SyntaxError') throw notAHub(endpoint, 'a text that is not JSON');
        // The library takes the fields of a response without checking it. An error of the network has a cause.
        if (isNativeError(error) && error.name === 'TypeError' && error.cause === undefined)
          throw notAHub(endpoint, 'JSON of another form');
        throw error;
      }
    };
    try {
      return await withRetries(attempt, { attempts: 3, ...request });
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const problem = error.status === undefined ? `cannot be reached (${error.message})` : `answers ${error.status}`;
      throw new HubUnavailable(`the hub at ${endpoint} ${problem}: the ${type} ${name} was not fetched`, {
        hint: [
          `check the network and the proxy (HTTPS_PROXY); HF_ENDPOINT selects another hub`,
          `without a network, put the ${type} into the cache, ${hubCacheFolder()}, or name a folder that holds it`,
        ].join('\n'),
        retryable: error.status !== undefined,
        cause: error,
      });
    }
  };

  const statusFailure = (status: number): RetryableError | HubRefused => {
    if (status === 408 || status === 429 || status >= 500) {
      return new RetryableError(`${endpoint}: the server answered ${status}`, { status });
    }
    const page = `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
    // The hub also answers 401 when the repository does not exist, so that names of private ones do not leak.
    return new HubRefused(`the hub at ${endpoint} has no ${type} ${name}, or does not show it (${status})`, {
      hint: [
        'check the name: most have an owner, as in google-bert/bert-base-uncased',
        token === undefined
          ? `if it is private or gated, accept its conditions at ${page} and set HF_TOKEN`
          : `if it is private or gated, check that your token may read ${page}`,
      ].join('\n'),
    });
  };

  return {
    /** The commit of `main`, and its files by path. */
    list: () =>
      callApi(async () => {
        const query = { name, hubUrl: endpoint, revision: 'main', additionalFields: ['sha' as const], fetch: apiFetch };
        const { sha } = await (type === 'model' ? api.modelInfo(query) : api.datasetInfo(query));
        if (typeof (sha as unknown) !== 'string' || !/^[0-9a-f]{40}$/.test(sha))
          throw notAHub(endpoint, `the revision ${JSON.stringify(sha)}`);
        const files = new Map<string, ListFileEntry>();
        const listing = { repo: { type, name }, hubUrl: endpoint, revision: sha, recursive: true, fetch: apiFetch };
        for await (const entry of api.listFiles(listing)) {
          validateEntry(entry, `${endpoint}: the listing of ${name}`);
          if (entry.type !== 'file') continue;
          if (!isPlainPath(entry.path)) throw notAHub(endpoint, `the path ${JSON.stringify(entry.path)}`);
          files.set(entry.path, entry);
        }
        return { revision: sha, files };
      }),

    fetch: async (file: ListFileEntry, revision: string, to: string, onProgress: (doneBytes: number) => void) => {
      const path = file.path.split('/').map(encodeURIComponent).join('/');
      const url = `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}/resolve/${revision}/${path}`;
      try {
        await fetchFile({
          ...request,
          url,
          to,
          headers,
          ...(file.lfs
            ? { sha256: file.lfs.oid }
            : { verify: (downloaded: string) => gitHashProblem(downloaded, file) }),
          onProgress,
        });
      } catch (error) {
        const { status } = error instanceof DownloadFailed ? error : {};
        throw status === 401 || status === 403 || status === 404 ? statusFailure(status) : error;
      }
    },
  };
}

const notAHub = (endpoint: string, what: string): HubRefused =>
  new HubRefused(`${endpoint} answers with ${what}: it is not a Hugging Face hub, or must not be trusted`, {
    hint: 'check HF_ENDPOINT',
  });

/** Whether a path of a listing is safe to use as a path on this disk. */
const isPlainPath = (path: string): boolean =>
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\\\0]|^[A-Za-z]:/.test(path);

/** The SHA-256 of a file in large-file storage, git's hash of any other. */
function hashOf({ path, lfs, oid }: ListFileEntry): string {
  const hash = lfs?.oid ?? oid ?? '';
  if (!(lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hash)) throw notAHub(hubEndpoint(), `no hash of ${path}`);
  return hash;
}

/** Git's hash of a file is SHA-1 over its size and content. */
async function gitHashProblem(path: string, { oid, size }: ListFileEntry): Promise<string | undefined> {
  const found = await sizeOf(path);
  if (found !== size) return `it has ${found} bytes, expected ${size}`;
  const hash = createHash('sha1').update(`blob ${size}\0`);
  for await (const chunk of readChunks(path)) hash.update(chunk);
  const sum = hash.digest('hex');
  return sum === oid ? undefined : `its git hash is ${sum}, expected ${oid}`;
}

/** Finds the token where Hugging Face's libraries look for it. */
async function findToken(): Promise<string | undefined> {
  const file = environmentVariable('HF_TOKEN_PATH') ?? join(hubHome(), 'token');
  const found = environmentVariable('HF_TOKEN') ?? (await readFile(file, 'utf8').catch(() => ''));
  const token = found.trim();
  return token === '' ? undefined : token;
}

/** Links a path of a snapshot to a blob, with a relative link so that the cache can be moved. */
async function linkToBlob(blob: string, place: string): Promise<void> {
  await createFolder(dirname(place));
  if ((await sizeOf(place)) === (await sizeOf(blob))) return;
  await rm(place, { force: true });
  await symlink(relative(dirname(place), blob), place).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was faster
  });
  await syncFolder(dirname(place));
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => ({ size: -1 }))).size;
