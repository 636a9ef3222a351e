import type { ListFileEntry } from '@huggingface/hub';
import type { NautilError } from '@nautil/contracts';
import { defineError } from '@nautil/contracts';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fetchFile } from './fetch-file.js';
import { hubCacheFolder, hubHome, hubRepositoryFolder, type HubRepository } from '../hub-cache.js';
import { networkFetch, type Fetch } from '../http/network-fetch.js';
import { DownloadFailed, persistently, reasonOf, type RequestOptions } from './request.js';
import { writeFileAtomic } from '../write-file-atomic.js';

/**
 * The hub was not contacted or did not answer: the files may still be in the cache. It is retryable when the hub answered with
 * a temporary failure; a hub that cannot be reached is for the user to look into.
 */
export class HubUnavailable extends defineError('HubUnavailable', 'environment') {}

/** The hub has no such repository or file, or does not show it to who asks. */
export class HubRefused extends defineError('HubRefused', 'config') {}

export interface HubFetchOptions extends Pick<RequestOptions, 'attempts' | 'backoffMs' | 'idleTimeoutMs' | 'signal'> {
  repository: HubRepository;

  /** Names those of the repository's files that are wanted, in the order in which they are fetched. */
  choose: (paths: readonly string[]) => readonly string[];

  /** Called with each file when it is there; what it throws ends the download. */
  onFile?: (path: string, file: string) => Promise<void>;
  onProgress?: (doneBytes: number, totalBytes: number) => void;

  /** Default: hubCacheFolder(). */
  cache?: string;
}

export interface HubSnapshot {
  /** Holds the files under the names that they have in the repository. */
  folder: string;

  /** The commit that `main` was at. */
  revision: string;

  /** Bytes that were not in the cache. */
  fetchedBytes: number;
}

/**
 * Brings files of a repository into Hugging Face's cache, in the layout that its own libraries read: `blobs/HASH`, named by
 * content, with `snapshots/COMMIT/PATH` and `refs/main` pointing at them. Each file is resumed where it was cut off and
 * compared with the hash that the hub lists; `refs/main` is written last, so that it never names a half of what was chosen.
 * HF_ENDPOINT, HF_TOKEN (or the token of who logged in) and HF_HUB_OFFLINE mean what they mean there.
 *
 * @throws HubUnavailable, HubRefused, DownloadFailed, ChecksumMismatch, DiskFull
 */
export async function fetchFromHub(options: HubFetchOptions): Promise<HubSnapshot> {
  const { repository, choose, onFile, onProgress, cache = hubCacheFolder(), ...request } = options;
  const hub = await connect(repository, request);
  const { revision, files } = await hub.list();
  const root = hubRepositoryFolder(repository, cache);
  const folder = join(root, 'snapshots', revision);

  const chosen = choose([...files.keys()]).map((path) => files.get(path)!);
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
    await pointTo(blob, place);
    await onFile?.(file.path, place);
  }
  if (chosen.length > 0) await writeFileAtomic(join(root, 'refs', 'main'), revision);
  return { folder, revision, fetchedBytes };
}

/** The hub that HF_ENDPOINT names, else Hugging Face's own. */
export function hubEndpoint(): string {
  return (process.env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
}

const isOffline = (): boolean =>
  /^(?:1|on|yes|true)$/i.test(process.env['HF_HUB_OFFLINE'] || process.env['TRANSFORMERS_OFFLINE'] || '');

/** A repository of the hub, asked for with the rights of whose token there is. */
async function connect(repository: HubRepository, request: Omit<RequestOptions, 'url'>) {
  const { type, name } = repository;
  const endpoint = hubEndpoint();
  if (isOffline()) {
    throw new HubUnavailable(`the hub at ${endpoint} was not asked for the ${type} ${name}: HF_HUB_OFFLINE is set`, {
      hint: `unset HF_HUB_OFFLINE, or bring the ${type} into the cache, ${hubCacheFolder()}`,
    });
  }
  const api = await import('@huggingface/hub');
  const network = await networkFetch();
  const token = await tokenOf();
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // The library has no time-out, no proxy and no second try, and takes tokens of one form only.
  const apiFetch = ((url: string) => {
    const limit = AbortSignal.timeout(request.idleTimeoutMs ?? 30_000);
    const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
    const isHub = new URL(url).origin === new URL(endpoint).origin;
    return network(url, { headers: { accept: 'application/json', ...(isHub ? headers : {}) }, signal });
  }) satisfies Fetch as unknown as typeof fetch;

  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    const options = { attempts: 3, ...request, url: endpoint };
    const once = async (): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (error instanceof api.HubApiError) throw answered(error.statusCode);
        throw error;
      }
    };
    try {
      return await persistently(options, { done: () => Promise.resolve(0) }, once);
    } catch (error) {
      if (!(error instanceof DownloadFailed)) throw error;
      const problem =
        error.status === undefined ? `can't be reached (${reasonOf(error.cause)})` : `answers ${error.status}`;
      throw new HubUnavailable(`the hub at ${endpoint} ${problem}: the ${type} ${name} was not fetched`, {
        hint: [
          `is the network up, and the proxy set (HTTPS_PROXY)? HF_ENDPOINT names another hub`,
          `without network: bring the ${type} into the cache, ${hubCacheFolder()}, or name a folder that holds it`,
        ].join('\n'),
        retryable: error.status !== undefined,
        cause: error,
      });
    }
  };

  const answered = (status: number): NautilError => {
    if (status === 408 || status === 429 || status >= 500) {
      return new DownloadFailed(`${endpoint}: the server answered ${status}`, { retryable: true, status });
    }
    const page = `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
    // The hub answers 401 for what isn't there, too: it doesn't tell strangers which names exist.
    return new HubRefused(`the hub at ${endpoint} has no ${type} ${name}, or does not show it (${status})`, {
      hint: [
        'check the name: most have an owner, as in google-bert/bert-base-uncased',
        token === undefined
          ? `if it is private or gated, accept its conditions at ${page} and set HF_TOKEN`
          : `if it is private or gated, is the token that is set allowed to read ${page}?`,
      ].join('\n'),
    });
  };

  return {
    /** The commit of `main`, and its files by path. */
    list: () =>
      ask(async () => {
        const asked = { name, hubUrl: endpoint, revision: 'main', additionalFields: ['sha' as const], fetch: apiFetch };
        const { sha } = await (type === 'model' ? api.modelInfo(asked) : api.datasetInfo(asked));
        if (!/^[0-9a-f]{40}$/.test(sha)) throw notAHub(endpoint, `the revision ${JSON.stringify(sha)}`);
        const files = new Map<string, ListFileEntry>();
        const listing = { repo: { type, name }, hubUrl: endpoint, revision: sha, recursive: true, fetch: apiFetch };
        for await (const entry of api.listFiles(listing)) {
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
          ...(file.lfs ? { sha256: file.lfs.oid } : { verify: (path) => gitHashProblem(path, file) }),
          onProgress,
        });
      } catch (error) {
        const { status } = error instanceof DownloadFailed ? error : {};
        throw status === 401 || status === 403 || status === 404 ? answered(status) : error;
      }
    },
  };
}

const notAHub = (endpoint: string, what: string): HubRefused =>
  new HubRefused(`${endpoint} answers with ${what}: this is no Hugging Face hub, or one that must not be trusted`, {
    hint: 'check HF_ENDPOINT',
  });

/** Names of a listing become names on this disk. */
const isPlainPath = (path: string): boolean =>
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\\\0]|^[A-Za-z]:/.test(path);

/** SHA-256 of what lies in large-file storage, else git's hash. */
function hashOf({ path, lfs, oid }: ListFileEntry): string {
  const hash = lfs?.oid ?? oid ?? '';
  if (!(lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hash)) throw notAHub(hubEndpoint(), `no hash of ${path}`);
  return hash;
}

/** Git's hash of a file is SHA-1 over its size and content. */
async function gitHashProblem(path: string, { oid, size }: ListFileEntry): Promise<string | undefined> {
  const found = await sizeOf(path);
  if (found !== size) return `it has ${found} bytes, and ${size} were expected`;
  const hash = createHash('sha1').update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const sum = hash.digest('hex');
  return sum === oid ? undefined : `its git hash is ${sum}, and ${oid} was expected`;
}

/** The token as Hugging Face's libraries find it. */
async function tokenOf(): Promise<string | undefined> {
  const { HF_TOKEN: token, HF_TOKEN_PATH: path } = process.env;
  const found = token || (await readFile(path || join(hubHome(), 'token'), 'utf8').catch(() => ''));
  return found.trim() || undefined;
}

/** Puts a name for a blob into a snapshot; relative, so that the cache can be moved. */
async function pointTo(blob: string, place: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  if ((await sizeOf(place)) === (await sizeOf(blob))) return;
  await rm(place, { force: true });
  await symlink(relative(dirname(place), blob), place).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // another process was faster
  });
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => ({ size: -1 }))).size;
