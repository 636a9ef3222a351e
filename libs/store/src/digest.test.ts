import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, fileRef, sha256File, sha256Of } from './digest.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const folder = temporaryFolder();
const sha256OfAbc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

test('a file, its bytes and its text have one digest', async () => {
  const path = join(folder, 'abc');
  writeFileSync(path, 'abc');
  expect(sha256Of('abc')).toBe(sha256OfAbc);
  expect(sha256Of(Buffer.from('abc'))).toBe(sha256OfAbc);
  expect(await sha256File(path)).toBe(sha256OfAbc);
  expect(await fileRef(path)).toEqual({ path, sha256: sha256OfAbc, sizeBytes: 3 });
});

test('canonical JSON does not depend on the order of keys', () => {
  expect(canonicalJson({ b: [1, { y: null, x: 'é' }], a: true })).toBe('{"a":true,"b":[1,{"x":"é","y":null}]}');
});

test('canonical JSON reads back as the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('reordering the keys of any value leaves its canonical JSON', () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, item]) => [key, reversed(item)]),
    );
  };
  fc.assert(fc.property(fc.jsonValue(), (value) => canonicalJson(reversed(value)) === canonicalJson(value)));
});

test.each([[{ a: NaN }], [{ a: [Infinity] }], [{ a: 1n }], [new Map()], [{ a: () => 1 }]])(
  'what JSON cannot hold is refused rather than left out: %p',
  (value) => {
    expect(() => canonicalJson(value)).toThrow('has no canonical JSON');
  },
);
