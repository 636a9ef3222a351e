import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openArtifactStore } from './artifact-store.js';
import { fileRef } from './digest.js';
import { homeId } from './home-id.js';
import { Store } from './store.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const root = temporaryFolder();

/** A server as WebDAV and MLflow's artifacts are: PUT keeps, GET gives. */
const kept = new Map<string, Buffer>();
let status: number | undefined;
let puts = 0;
const server: Server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const found = kept.get(request.url!);
    if (status !== undefined) response.writeHead(status).end();
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
  test('a file passes whole and once, under its name', async () => {
    const artifacts = openArtifactStore(address())!;
    const ref = await fileRef(file);
    await artifacts.put(ref);
    await artifacts.put(ref);
    const store = new Store(join(root, `there-${_kind}`));
    const brought = await artifacts.bring(ref, store, 'weights.safetensors');
    expect(brought).toEqual({ ...ref, path: join(store.root, 'names', ref.sha256, 'weights.safetensors') });
    expect(readFileSync(brought.path, 'utf8')).toBe('weights');
    expect(await artifacts.bring(ref, store, 'weights.safetensors')).toEqual(brought);
  });

  test('the newest text counts, and one that nobody wrote is absent', async () => {
    const artifacts = openArtifactStore(address())!;
    expect(await artifacts.readText('texts/a.json')).toBeUndefined();
    await artifacts.writeText('texts/a.json', 'first');
    await artifacts.writeText('texts/a.json', 'second');
    expect(await artifacts.readText('texts/a.json')).toBe('second');
  });

  test('what was never put is named', async () => {
    const never = { sha256: 'a'.repeat(64), sizeBytes: 1 };
    const bringing = openArtifactStore(address())!.bring(never, new Store(join(root, 'none')), 'x.tokens');
    await expect(bringing).rejects.toThrow(/x\.tokens|aaaa/);
    expect(existsSync(new Store(join(root, 'none')).pathOf(never.sha256))).toBe(false);
  });
});

test('over http a file is sent once', () => {
  expect(puts).toBe(3); // the file, and two texts
});

test('bytes that were damaged on the way are refused', async () => {
  const artifacts = openArtifactStore(url)!;
  const ref = await fileRef(file);
  kept.set(`/artifacts/nautil/objects/${ref.sha256.slice(0, 2)}/${ref.sha256}`, Buffer.from('WEIGHTS'));
  const store = new Store(join(root, 'damaged'));
  await expect(artifacts.bring(ref, store, 'weights')).rejects.toMatchObject({ name: 'ChecksumMismatch' });
  expect(await store.has(ref.sha256)).toBe(false);
});

test('a server that fails or refuses is told, and whether it is worth trying again', async () => {
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
  await expect(openArtifactStore('http://127.0.0.1:9/x')!.readText('a')).rejects.toThrow('does not answer');
});

test('an address that cannot be meant is refused, and none is none', () => {
  expect(openArtifactStore('')).toBeUndefined();
  expect(() => openArtifactStore('shared/folder')).toThrow(/neither an absolute folder nor an http address/);
});

test('a state folder has one id, whoever asks first, and another folder has another', async () => {
  const ids = await Promise.all([1, 2, 3].map(() => homeId(join(root, 'home'))));
  expect(new Set(ids).size).toBe(1);
  expect(ids[0]).toMatch(/^[0-9a-f]{12}$/);
  expect(await homeId(join(root, 'other'))).not.toBe(ids[0]);
});
