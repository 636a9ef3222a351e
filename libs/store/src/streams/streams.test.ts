import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { sha256Of } from '../digest.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { guardStream, gunzipped, readChunks, readTextLines } from './index.js';

// In each of these, an error would end the process if it found no listener. The tests wait, so that it would.

const folder = temporaryFolder();
const missing = join(folder, 'missing');
const file = join(folder, 'three-megabytes');
const content = Buffer.alloc(3_000_000, 'one of 37 bytes, so that pieces differ');
writeFileSync(file, content);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const whole = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => Buffer.concat(await all(chunks));

test('a file is read completely, or up to the given number of bytes even if it grows', async () => {
  expect(sha256Of(await whole(readChunks(file)))).toBe(sha256Of(content));
  expect(await whole(readChunks(file, { atMost: 0 }))).toEqual(Buffer.alloc(0));
  const growing = join(folder, 'growing');
  writeFileSync(growing, content);
  const chunks = readChunks(growing, { atMost: content.length });
  await chunks.next();
  appendFileSync(growing, 'more');
  expect((await whole(chunks)).length).toBe(content.length - (1 << 20));
});

test('an error before the reader arrives waits for the reader', async () => {
  const sources = [readChunks(missing), readTextLines(missing), gunzipped(readChunks(missing))];
  await sleep(20);
  for (const source of sources) await expect(source.next()).rejects.toMatchObject({ code: 'ENOENT' });
  const failed = guardStream(new Readable({ read: () => undefined }));
  failed.emit('error', new Error('early'));
  await sleep(20);
  await expect(whole(failed)).rejects.toThrow('early');
});

test('an error after the reader has left is ignored', async () => {
  const stream = guardStream(new Readable({ read: () => undefined }));
  stream.push('first');
  await firstOf(stream);
  stream.emit('error', new Error('late'));
  await sleep(20);
  await firstOf(gunzipped(failingAfter(gzipSync(content).subarray(0, 1000))));
  await sleep(20);
});

/** Reads one item and leaves. */
async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

async function* failingAfter(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
  await sleep(5);
  throw new Error('the source failed');
}

test('gzip is decompressed, and an error of the source or of the content reaches the reader', async () => {
  const packed = gzipSync(content);
  const source = async function* (bytes: Uint8Array) {
    yield bytes;
  };
  expect(sha256Of(await whole(gunzipped(source(packed))))).toBe(sha256Of(content));
  await expect(whole(gunzipped(source(packed.subarray(0, -9))))).rejects.toMatchObject({ code: 'Z_BUF_ERROR' });
  await expect(whole(gunzipped(source(Buffer.from('not gzip'))))).rejects.toMatchObject({ code: 'Z_DATA_ERROR' });
  await expect(whole(gunzipped(failingAfter(packed.subarray(0, 100))))).rejects.toThrow('the source failed');
});

test.each([
  ['a\nb\n', ['a', 'b']],
  ['a\n\nü', ['a', '', 'ü']],
  ['', []],
])('the lines of %j', async (text, lines) => {
  writeFileSync(join(folder, 'lines'), text);
  expect(await all(readTextLines(join(folder, 'lines')))).toEqual(lines);
});

test('a character that is split between two chunks stays whole', async () => {
  const path = join(folder, 'split');
  writeFileSync(path, `${'x'.repeat((1 << 20) - 1)}ü\nend`);
  const [first, second] = await all(readTextLines(path));
  expect([first!.at(-1), second]).toEqual(['ü', 'end']);
});
