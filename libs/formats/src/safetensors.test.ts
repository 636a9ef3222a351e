import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { ByteSource } from './byte-source.js';
import { CheckpointError } from './errors.js';
import { openTensors, readTensors } from './open-tensors.js';
import { verifySealed, writeSealedSafetensors } from './sealed-safetensors.js';
import type { TensorToWrite } from './tensor-source.js';
import { rawSafetensors } from './testing/hostile-files.js';
import { writeSafetensors } from './write-safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Bytes in memory as a source. */
const bytesAsSource = (name: string, bytes: Uint8Array): ByteSource => ({
  name,
  size: bytes.length,
  read: (offset, length) => Promise.resolve(new Uint8Array(bytes.subarray(offset, offset + length))),
  close: () => Promise.resolve(),
});

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await readTensors(bytesAsSource('weights.safetensors', bytes)).then(
    () => 'nothing was refused',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CheckpointError);
  return (error as CheckpointError).message;
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') => ({ dtype, shape, data_offsets: offsets });

describe('an inconsistent safetensors header is rejected, and the error describes the fault', () => {
  const data = new Uint8Array(8);
  test.each<[string, Uint8Array, RegExp]>([
    ['a header longer than the file', rawSafetensors({}, data, 2 ** 40), /says it is 1099511627776 bytes long/],
    ['a header that is no JSON', rawSafetensors('{"a": '), /not JSON/],
    ['a header that is not UTF-8', Buffer.concat([rawSafetensors('{"a'), Buffer.from([0xff])]), /JSON|bytes/],
    ['a shape that does not fit', rawSafetensors({ a: tensor([3], [0, 8]) }, data), /a, F32 \[3\], needs 12 bytes/],
    ['a shape that overflows', rawSafetensors({ a: tensor([2 ** 40, 2 ** 40], [0, 8]) }, data), /needs .* bytes/],
    ['a negative dimension', rawSafetensors({ a: tensor([-2], [0, 8]) }, data), /tensor a .*shape\/0 must be >= 0/],
    [
      'offsets that are not numbers',
      rawSafetensors({ a: tensor([2], ['0', 8]) }, data),
      /tensor a .*data_offsets\/0 must be integer/,
    ],
    [
      'tensors that overlap',
      rawSafetensors({ a: tensor([2], [0, 8]), b: tensor([1], [4, 8]) }, data),
      /b starts at byte 4/,
    ],
    ['a hole', rawSafetensors({ a: tensor([1], [4, 8]) }, data), /a starts at byte 4 of the data/],
    ['bytes that belong to nothing', rawSafetensors({ a: tensor([1], [0, 4]) }, data), /describes 4 bytes of data/],
    [
      'a file cut off',
      rawSafetensors({ a: tensor([2], [0, 8]) }, data.subarray(4)),
      /cut off: its header describes 8 bytes of data, but it has only 4/,
    ],
    [
      'a type that is not read',
      rawSafetensors({ a: tensor([8], [0, 8], 'F8_E4M3') }, data),
      /tensor a has the unsupported type F8_E4M3/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(bytes)).toMatch(message);
  });
});

test('a tensor called __proto__ is a tensor like any other', async () => {
  const bytes = rawSafetensors(`{"__proto__":${JSON.stringify(tensor([1], [0, 4]))}}`, new Uint8Array(4));
  const source = await readTensors(bytesAsSource('x', bytes));
  expect(source.names()).toEqual(['__proto__']);
});

test('written tensors are read back unchanged: every type, scalars, empty tensors, names beyond ASCII and metadata', async () => {
  const tensors: TensorToWrite[] = [
    { name: 'scalar', dtype: 'F64', shape: [], data: new Uint8Array(new Float64Array([Math.PI]).buffer) },
    { name: 'empty', dtype: 'I32', shape: [0, 7], data: new Uint8Array(0) },
    { name: '10', dtype: 'BOOL', shape: [3], data: new Uint8Array([1, 0, 1]) },
    { name: '9', dtype: 'I64', shape: [1], data: new Uint8Array(new BigInt64Array([-5n]).buffer) },
    { name: 'gewicht ü 🤗', dtype: 'F32', shape: [1, 2], data: new Float32Array([1.5, -2.5]) },
    { name: 'lazy', dtype: 'BF16', shape: [2], data: () => Promise.resolve(new Uint8Array([0x80, 0x3f, 0, 0xc0])) },
  ];
  const path = join(folder, 'all.safetensors');
  await writeSafetensors(path, tensors, { z: 'last', a: 'first' });
  const source = await openTensors(path);
  expect(source.metadata).toEqual({ a: 'first', z: 'last' });
  for (const { name, dtype, shape } of tensors) expect(source.info(name)).toEqual({ dtype, shape });
  expect([...(await source.readFloat32('gewicht ü 🤗'))]).toEqual([1.5, -2.5]);
  expect([...(await source.readFloat32('lazy'))]).toEqual([1, -2]);
  expect([...(await source.readFloat32('scalar'))]).toEqual([Math.fround(Math.PI)]);
  expect([...(await source.read('10'))]).toEqual([1, 0, 1]);
  await expect(source.readFloat32('9')).rejects.toThrow(/9 has type I64, but a weight must have a floating-point type/);
  expect(() => source.info('lazzy')).toThrow(/no tensor lazzy/);
  await source.close();

  const again = join(folder, 'again.safetensors');
  await writeSafetensors(again, [...tensors].reverse(), { a: 'first', z: 'last' });
  expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
});

test('a sealed file has the bytes of one whose digest was computed before it was written', async () => {
  const tensors = Array.from({ length: 3 }, (_, index) => ({
    name: `tensor ${index}`,
    dtype: 'F32' as const,
    shape: [2, 300_000],
    data: new Float32Array(600_000).fill(index),
  }));
  const metadata = { progress: JSON.stringify({ sha256: '0'.repeat(64) }), z: 'after the digest' };
  const path = join(folder, 'sealed.safetensors');
  await writeSealedSafetensors(path, tensors, metadata);
  await verifySealed(path);
  const expected = join(folder, 'expected.safetensors');
  const sha256 = await writeSafetensors(expected, tensors, { ...metadata, sha256: '0'.repeat(64) });
  expect(sha256).toBe(createHash('sha256').update(readFileSync(expected)).digest('hex'));
  await writeSafetensors(expected, tensors, { ...metadata, sha256 });
  expect(readFileSync(path).equals(readFileSync(expected))).toBe(true);
});

test('a tensor is read once, and its memory may be freed before the next is read', async () => {
  const events: string[] = [];
  const tensors = ['a', 'b', 'c'].map((name) => ({
    name,
    dtype: 'F32' as const,
    shape: [1],
    data: () => {
      events.push(`${name} read`);
      return new Float32Array(1);
    },
    onWritten: () => events.push(`${name} written`),
  }));
  const all = ['a read', 'a written', 'b read', 'b written', 'c read', 'c written'];
  await writeSealedSafetensors(join(folder, 'released.safetensors'), tensors, {});
  expect(events.splice(0)).toEqual(all);
  await writeSafetensors(join(folder, 'released.safetensors'), tensors);
  expect(events).toEqual(all);
});

test('data that does not fit its shape is not written, and nothing is left behind', async () => {
  const before = readdirSync(folder);
  const wrong = { name: 'a', dtype: 'F32', shape: [3], data: new Float32Array(2) } as const;
  await expect(writeSafetensors(join(folder, 'wrong.safetensors'), [wrong])).rejects.toThrow(
    /a is F32 \[3\], 12 bytes/,
  );
  await expect(writeSafetensors(join(folder, 'wrong.safetensors'), [wrong, wrong])).rejects.toThrow(/two tensors/);
  expect(readdirSync(folder)).toEqual(before);
});

test.each([
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e00, NaN],
  [0x8000, -0],
])('half 0x%s is %s', async (bits, value) => {
  const header = { h: tensor([1], [0, 2], 'F16') };
  const source = await readTensors(
    bytesAsSource('h', rawSafetensors(header, new Uint8Array(new Uint16Array([bits]).buffer))),
  );
  expect((await source.readFloat32('h'))[0]).toBe(value);
});
