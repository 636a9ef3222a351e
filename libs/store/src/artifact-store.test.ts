import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openArtifactStore } from './artifact-store.js';
import { fileRef } from './digest.js';
import { homeId } from './folders/home-id.js';
import { Store } from './store.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const root = temporaryFolder();

/** A server like WebDAV or MLflow's artifact proxy: PUT stores a file, GET returns it. */
const kept = new Map<string, Buffer>();
let status: number | undefined;
let answer: string | undefined;

/** The only Authorization header that the server accepts. */
let accepted: string | undefined;
let puts = 0;
const server: Server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const found = kept.get(request.url!);
    if (status !== undefined) response.writeHead(status).end(answer);
    else if (accepted !== undefined && request.headers.authorization !== accepted) response.writeHead(401).end();
    else if (request.method === 'PUT') {
      puts++;
      kept.set(request.url!, Buffer.concat(chunks));
      response.writeHead(201).end();
    } else if (found) response.writeHead(200, { 'content-length': found.length }).end(found);
    else response.writeHead(404).end('{"error_code": "RESOURCE_DOES_NOT_EXIST"}');
  });
});
let url: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/artifacts/nautil`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const file = join(root, 'weights.safetensors');
writeFileSync(file, 'weights');

describe.each([
  ['a folder', () => join(root, 'shared')],
  ['an http address', () => url],
])('through %s', (_kind, address) => {
  test('a file is transferred once, under its name', async () => {
    const artifacts = openArtifactStore(address())!;
    const ref = await fileRef(file);
    await artifacts.put(ref);
    await artifacts.put(ref);
    const store = new Store(join(root, `there-${_kind}`));
    const copy = await artifacts.get(ref, store, 'weights.safetensors');
    expect(copy).toEqual({ ...ref, path: join(store.root, 'names', ref.sha256, 'weights.safetensors') });
    expect(readFileSync(copy.path, 'utf8')).toBe('weights');
    expect(await artifacts.get(ref, store, 'weights.safetensors')).toEqual(copy);
  });

  test('the last write of a text wins, and a text that was never written is undefined', async () => {
    const artifacts = openArtifactStore(address())!;
    expect(await artifacts.readText('texts/a.json')).toBeUndefined();
    await artifacts.writeText('texts/a.json', 'first');
    await artifacts.writeText('texts/a.json', 'second');
    expect(await artifacts.readText('texts/a.json')).toBe('second');
  });

  test('the error for a file that was never stored names it', async () => {
    const never = { sha256: 'a'.repeat(64), sizeBytes: 1 };
    const getting = openArtifactStore(address())!.get(never, new Store(join(root, 'none')), 'x.tokens');
    await expect(getting).rejects.toThrow(/x\.tokens|aaaa/);
    expect(existsSync(new Store(join(root, 'none')).pathOf(never.sha256))).toBe(false);
  });
});

test('over http, a stored file is not uploaded again', () => {
  expect(puts).toBe(3); // the file, and two texts
});

test('content that was damaged on the way is refused', async () => {
  const artifacts = openArtifactStore(url)!;
  const ref = await fileRef(file);
  kept.set(`/artifacts/nautil/objects/${ref.sha256.slice(0, 2)}/${ref.sha256}`, Buffer.from('WEIGHTS'));
  const store = new Store(join(root, 'damaged'));
  await expect(artifacts.get(ref, store, 'weights')).rejects.toMatchObject({ name: 'ChecksumMismatch' });
  expect(await store.has(ref.sha256)).toBe(false);
});

test('the error for a server that fails is retryable, for one that refuses it is not', async () => {
  const artifacts = openArtifactStore(url)!;
  status = 503;
  await expect(artifacts.readText('texts/a.json')).rejects.toMatchObject({ retryable: true });
  status = 405;
  await expect(artifacts.writeText('texts/a.json', 'x')).rejects.toMatchObject({
    name: 'ArtifactsUnavailable',
    retryable: false,
    hint: expect.stringContaining('PUT'),
  });
  status = undefined;
  await expect(openArtifactStore('http://127.0.0.1:9/x')!.readText('a')).rejects.toThrow('does not respond');
});

describe('a server that requires a login', () => {
  const variables = [
    'MLFLOW_TRACKING_URI',
    'MLFLOW_TRACKING_TOKEN',
    'MLFLOW_TRACKING_USERNAME',
    'MLFLOW_TRACKING_PASSWORD',
  ];
  const before = Object.fromEntries(variables.map((name) => [name, process.env[name]]));
  const setVariables = (values: Record<string, string | undefined>): void => {
    for (const name of variables) {
      if (values[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = values[name];
    }
  };
  const basic = `Basic ${Buffer.from('alice:p/w').toString('base64')}`;
  beforeEach(() => setVariables({}));
  afterEach(() => {
    setVariables(before);
    accepted = status = undefined;
  });

  const exchange = async (address: string): Promise<void> => {
    const artifacts = openArtifactStore(address)!;
    const ref = await fileRef(file);
    kept.clear();
    await artifacts.put(ref);
    await artifacts.get(ref, new Store(join(root, `login-${accepted}`)), 'weights');
    expect(await artifacts.readText('texts/b.json')).toBeUndefined();
    await artifacts.writeText('texts/b.json', 'b');
    expect(await artifacts.readText('texts/b.json')).toBe('b');
  };

  test('gets that of MLflow when it is the tracking server', async () => {
    setVariables({ MLFLOW_TRACKING_URI: new URL(url).origin, MLFLOW_TRACKING_TOKEN: 'secret' });
    accepted = 'Bearer secret';
    await exchange(url);
    setVariables({
      MLFLOW_TRACKING_URI: new URL(url).origin,
      MLFLOW_TRACKING_USERNAME: 'alice',
      MLFLOW_TRACKING_PASSWORD: 'p/w',
    });
    accepted = basic;
    await exchange(url);
  });

  test('gets the one in its address', async () => {
    accepted = basic;
    await exchange(url.replace('://', '://alice:p%2Fw@'));
  });

  test('gets nothing of MLflow when it is another server', async () => {
    setVariables({ MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', MLFLOW_TRACKING_TOKEN: 'secret' });
    accepted = 'Bearer secret';
    await expect(openArtifactStore(url)!.readText('a')).rejects.toThrow('401');
  });

  test.each([401, 403])(
    'and refuses with %i has not said that a file is absent: the error names the variables',
    async (refusal) => {
      status = refusal;
      const artifacts = openArtifactStore(url.replace('://', '://alice:hidden@'))!;
      const ref = await fileRef(file);
      const attempts = [
        artifacts.readText('texts/a.json'),
        artifacts.writeText('texts/a.json', 'x'),
        artifacts.put(ref),
        artifacts.get(ref, new Store(join(root, 'refused')), 'weights'),
      ];
      for (const attempt of attempts) {
        const error: unknown = await attempt.catch((caught: unknown) => caught);
        expect(error).toMatchObject({
          name: 'ArtifactsUnavailable',
          retryable: false,
          message: expect.stringContaining(`the server answered ${refusal}`),
          hint: expect.stringMatching(/MLFLOW_TRACKING_TOKEN.*MLFLOW_TRACKING_USERNAME.*MLFLOW_TRACKING_PASSWORD/),
        });
        expect(String(error)).not.toContain('hidden');
      }
    },
  );
});

test('what MLflow answers for an object that its bucket lacks means absent, and any other failure does not', async () => {
  status = 500;
  answer = JSON.stringify({
    error_code: 'INTERNAL_ERROR',
    message:
      'The following failures occurred …: An error occurred (404) when calling the HeadObject operation: Not Found',
  });
  expect(await openArtifactStore(url)!.readText('texts/a.json')).toBeUndefined();
  answer = answer.replace('(404)', '(403)');
  await expect(openArtifactStore(url)!.readText('texts/a.json')).rejects.toMatchObject({ retryable: true });
  status = answer = undefined;
});

test('an invalid address is refused, and an empty one means that there is no artifact store', () => {
  expect(openArtifactStore('')).toBeUndefined();
  expect(() => openArtifactStore('shared/folder')).toThrow(/neither an absolute folder nor an http address/);
});

test('a state folder has one id, even when several processes create it at once, and another folder has another id', async () => {
  const ids = await Promise.all([1, 2, 3].map(() => homeId(join(root, 'home'))));
  expect(new Set(ids).size).toBe(1);
  expect(ids[0]).toMatch(/^[0-9a-f]{12}$/);
  expect(await homeId(join(root, 'other'))).not.toBe(ids[0]);
});
