import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type HubContent, type HubServer, startHubServer } from '../testing/hub-server.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { fetchFromHub, type HubFetchOptions, hubProblem, HubRefused, HubUnavailable } from './fetch-from-hub.js';
import { cachedSnapshot, hubRepositoryFolder, isHubName } from './hub-cache.js';

const folder = temporaryFolder();
const weights = randomBytes(300_000);
const tiny = { 'config.json': '{"model_type":"bert"}', 'model.safetensors': weights, 'onnx/model.onnx': 'unwanted' };
const repository = { type: 'model', name: 'org/tiny' } as const;
const environment = ['HF_ENDPOINT', 'HF_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_OFFLINE', 'HF_HOME'] as const;

let caches = 0;
let cache: string;
beforeEach(() => {
  cache = join(folder, `cache-${(caches += 1)}`);
  for (const name of environment) delete process.env[name];
  process.env['HF_HOME'] = join(folder, 'home'); // where there is no token
});

async function start(content: Partial<HubContent> = {}): Promise<HubServer> {
  const server = await startHubServer({ repositories: { 'models/org/tiny': tiny }, ...content });
  process.env['HF_ENDPOINT'] = `${server.url}/`;
  return server;
}

const fetchTiny = (options: Partial<HubFetchOptions> = {}) =>
  fetchFromHub({
    repository,
    choose: (paths) => paths.filter((path) => !path.startsWith('onnx/')),
    cache,
    home: join(folder, 'nautil'),
    backoffMs: 5,
    ...options,
  });

const errorOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((thrown: unknown) => thrown);

test("the chosen files are stored in the layout of Hugging Face's cache and are not fetched again", async () => {
  const server = await start();
  const seen: number[] = [];
  const first = await fetchTiny({ onProgress: (done, total) => seen.push(done / total) });
  const root = hubRepositoryFolder(repository, cache);
  expect(first.folder).toBe(join(root, 'snapshots', first.revision));
  expect(first.fetchedBytes).toBe(weights.length + tiny['config.json'].length);
  expect(readFileSync(join(first.folder, 'model.safetensors'))).toEqual(weights);
  expect(readdirSync(first.folder).sort()).toEqual(['config.json', 'model.safetensors']);
  expect(readlinkSync(join(first.folder, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
  expect(readlinkSync(join(first.folder, 'model.safetensors'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
  expect(readFileSync(join(root, 'refs', 'main'), 'utf8')).toBe(first.revision);
  expect(await cachedSnapshot(root)).toBe(first.folder);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(1);

  const requestsBefore = server.requests.length;
  expect(await fetchTiny()).toEqual({ ...first, fetchedBytes: 0 });
  expect(server.requests.slice(requestsBefore).filter(({ path }) => !path.startsWith('/api/'))).toEqual([]);
});

test('a new commit shares the unchanged files with the old one', async () => {
  const content: HubContent = { repositories: { 'models/org/tiny': tiny } };
  await start(content);
  const first = await fetchTiny();
  content.repositories['models/org/tiny'] = { ...tiny, 'config.json': '{"model_type":"roberta"}' };
  await start(content);
  const second = await fetchTiny();
  expect(second.revision).not.toBe(first.revision);
  expect(second.fetchedBytes).toBe('{"model_type":"roberta"}'.length);
  expect(await cachedSnapshot(hubRepositoryFolder(repository, cache))).toBe(second.folder);
  expect(readFileSync(join(first.folder, 'config.json'), 'utf8')).toBe(tiny['config.json']);
});

test('an interrupted download is resumed by the next, and refs/main is written when all files are there', async () => {
  const server = await start({
    cutAfter: (answer, path) => (path.endsWith('.safetensors') && answer < 2 ? 90_000 : undefined),
  });
  expect(await errorOf(fetchTiny({ attempts: 1 }))).toMatchObject({ name: 'DownloadFailed', retryable: true });
  const root = hubRepositoryFolder(repository, cache);
  expect(existsSync(join(root, 'refs', 'main'))).toBe(false);
  const incomplete = readdirSync(join(root, 'blobs')).find((name) => name.endsWith('.incomplete'))!;
  const kept = statSync(join(root, 'blobs', incomplete)).size;
  expect(kept).toBeGreaterThan(0);

  const snapshot = await fetchTiny();
  expect(readFileSync(join(snapshot.folder, 'model.safetensors'))).toEqual(weights);
  expect(server.requests.at(-1)?.range).toBe(`bytes=${kept}-`);
  expect(readdirSync(join(root, 'blobs')).filter((name) => name.includes('incomplete'))).toEqual([]);
});

test.each([
  ['in large-file storage', 'model.safetensors', /its SHA-256 is/],
  ['in git', 'config.json', /its git hash is/],
])('a file %s whose content does not match the listed hash is refused and removed', async (_, path, message) => {
  await start({ altered: { [path]: Buffer.from(tiny[path as keyof typeof tiny]).fill('x') } });
  const error = await errorOf(fetchTiny());
  expect(error).toMatchObject({ name: 'ChecksumMismatch', message: expect.stringMatching(message) });
  const root = hubRepositoryFolder(repository, cache);
  expect(existsSync(join(root, 'refs', 'main'))).toBe(false);
  expect(readdirSync(join(root, 'blobs')).length).toBeLessThan(2);
});

test('the error for a missing or private repository tells the user what to do', async () => {
  const server = await start({ token: 'secret' });
  const withoutToken = await errorOf(fetchTiny());
  expect(withoutToken).toBeInstanceOf(HubRefused);
  expect((withoutToken as Error).message).toBe(
    `the hub at ${server.url} has no model org/tiny, or does not show it (401)`,
  );
  expect((withoutToken as HubRefused).hint).toMatch(/set HF_TOKEN/);
  expect(server.requests).toHaveLength(1);

  process.env['HF_TOKEN'] = 'secret';
  await fetchTiny();
  const storage = server.requests.filter(({ path }) => path.includes('/-/'));
  expect(storage).toHaveLength(1);
  // The token is sent to the hub only, not to the server that it redirects to.
  expect(storage[0]?.authorization).toBeUndefined();

  process.env['HF_TOKEN'] = 'wrong';
  expect((await errorOf(fetchTiny())) as HubRefused).toMatchObject({
    hint: expect.stringContaining('check that your token may read'),
  });
});

test('an overloaded hub is retried', async () => {
  await start({ apiStatus: (answer) => [503, 429][answer] });
  expect((await fetchTiny()).fetchedBytes).toBeGreaterThan(0);
  await start({ apiStatus: () => 503 });
  const error = await errorOf(fetchTiny());
  expect(error).toBeInstanceOf(HubUnavailable);
  expect((error as Error).message).toMatch(/answers 503: the model org\/tiny was not fetched/);
});

test('the error for an unreachable hub, or for offline mode, names the hub', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  process.env['HF_ENDPOINT'] = `http://127.0.0.1:${port}`;
  const gone = await errorOf(fetchTiny());
  expect(gone).toBeInstanceOf(HubUnavailable);
  expect((gone as Error).message).toMatch(
    new RegExp(`^the hub at http://127.0.0.1:${port} cannot be reached \\(.*ECONNREFUSED`),
  );

  const there = await start();
  process.env['HF_HUB_OFFLINE'] = '1';
  const offline = await errorOf(fetchTiny());
  expect(offline).toBeInstanceOf(HubUnavailable);
  expect((offline as Error).message).toMatch(
    /^the model org\/tiny was not fetched from the hub at .*: HF_HUB_OFFLINE is set$/,
  );
  expect(there.requests).toEqual([]);
});

test('a listing with a path outside the repository is refused', async () => {
  await start({ extraPath: '../../../escaped' });
  const error = await errorOf(fetchTiny({ choose: (paths) => paths }));
  expect((error as Error).message).toMatch(/"\.\.\/\.\.\/\.\.\/escaped"/);
  expect(existsSync(cache)).toBe(false);
});

test('an error thrown by onFile ends the download before the next file', async () => {
  const server = await start();
  const onFile = (path: string) => Promise.reject(new Error(`not ${path}`));
  await expect(fetchTiny({ choose: () => ['config.json', 'model.safetensors'], onFile })).rejects.toThrow(
    'not config.json',
  );
  expect(server.requests.filter(({ path }) => path.includes('safetensors'))).toEqual([]);
});

test('data sets are fetched from their own addresses', async () => {
  await start({ repositories: { 'datasets/org/reviews': { 'data/a b.tsv': 'fine\t1\n' } } });
  const snapshot = await fetchFromHub({
    repository: { type: 'dataset', name: 'org/reviews' },
    choose: (paths) => paths,
    cache,
    home: join(folder, 'nautil'),
  });
  expect(snapshot.folder).toContain('datasets--org--reviews');
  expect(readFileSync(join(snapshot.folder, 'data', 'a b.tsv'), 'utf8')).toBe('fine\t1\n');
});

test('repository names are distinguished from paths', () => {
  const names = ['bert-base-uncased', 'google/bert_uncased_L-2', 'a/b.c'];
  expect(names.filter(isHubName)).toEqual(names);
  expect(['/a', './a', '../a', 'a/../b', 'a/b/c', 'a//b', 'a/', '', '-a', 'a\\b'].filter(isHubName)).toEqual([]);
  // Hugging Face's libraries refuse these, too.
  expect(['a--b', 'a..b', 'a/b.git', 'a-', 'a.', 'a-/b', 'a b', 'ä/b', 'n'.repeat(97)].filter(isHubName)).toEqual([]);
});

test.each(['null', '[]', '{"sha":["0123456789012345678901234567890123456789"]}', '3'])(
  'an answer of a hub is checked before it is used: %s',
  async (answer) => {
    const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    process.env['HF_ENDPOINT'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await errorOf(fetchTiny());
    server.close();
    expect(error).toBeInstanceOf(HubRefused);
    expect((error as HubRefused).hint).toContain('HF_ENDPOINT');
  },
);

test.each(['http://user:secret@127.0.0.1:9', 'not an address', 'file:///etc'])(
  'an endpoint that cannot be used is refused by name, before any request: %s',
  async (endpoint) => {
    process.env['HF_ENDPOINT'] = endpoint;
    const error = await errorOf(fetchTiny());
    expect(error).toBeInstanceOf(HubRefused);
    expect((error as HubRefused).message).toContain('HF_ENDPOINT');
  },
);

describe('whether a download would fail is known before', () => {
  test('from a hub that lists the files: there is no problem, and nothing is fetched', async () => {
    const server = await start();
    expect(await hubProblem(repository)).toBeUndefined();
    expect(server.requests.every(({ path }) => path.startsWith('/api/'))).toBe(true);
  });

  test.each([
    [
      'from a closed port',
      async () => (await start()).stop(),
      /cannot be reached .*: the model org\/tiny was not fetched/,
    ],
    ['offline', () => void (process.env['HF_HUB_OFFLINE'] = '1'), /HF_HUB_OFFLINE is set/],
    ['without the right', () => start({ token: 'secret' }), /has no model org\/tiny, or does not show it \(401\)/],
    ['from a hub that fails', () => start({ apiStatus: () => 503 }), /answers 503/],
  ])('%s: the reason is that of the download', async (_, prepare, reason) => {
    await prepare();
    const problem = await hubProblem(repository);
    expect(problem?.message).toMatch(reason);
    expect(await errorOf(fetchTiny({ attempts: 1 }))).toMatchObject({ message: problem?.message, hint: problem?.hint });
  });

  test('from a hub that sends nothing: a short time is enough', async () => {
    const silent = createServer(() => undefined).listen(0);
    process.env['HF_ENDPOINT'] = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      expect((await hubProblem(repository, { idleTimeoutMs: 50 }))?.message).toMatch(
        /cannot be reached .*sent nothing/,
      );
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
