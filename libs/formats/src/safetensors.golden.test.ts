import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { goldenFiles, goldenPath } from '@nautil/testing';
import { openTensors } from './open-tensors.js';
import type { TensorToWrite } from './tensor-source.js';
import { writeSafetensors } from './write-safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

const files = goldenFiles('.', '.safetensors');

test.each(files.map((file) => [`${basename(dirname(file))}/${basename(file)}`, file]))(
  'rewriting %s gives the bytes that the reference implementation wrote',
  async (_, file) => {
    const source = await openTensors(file);
    const tensors: TensorToWrite[] = source
      .names()
      .map((name) => ({ name, ...source.info(name), data: () => source.read(name) }))
      .reverse();
    const copy = join(folder, 'copy.safetensors');
    await writeSafetensors(copy, tensors, Object.keys(source.metadata).length > 0 ? source.metadata : undefined);
    await source.close();
    expect(readFileSync(copy).equals(readFileSync(file))).toBe(true);
  },
);

// Rounding error of one half: 2^-11 relative with 10 fraction bits, 2^-8 with 7; below the smallest normal half, 2^-25.
test.each([
  ['fp16.safetensors', 'F16', 2 ** -11, 2 ** -25],
  ['bf16.safetensors', 'BF16', 2 ** -8, 0],
])('%s holds the float32 weights to its rounding', async (name, dtype, relative, absolute) => {
  const exact = await openTensors(goldenPath('bert-tiny-uncased/model.safetensors'));
  const halves = await openTensors(goldenPath('bert-tiny-variants', name));
  expect([...halves.names()].sort()).toEqual([...exact.names()].sort());
  for (const tensor of exact.names()) {
    expect(halves.info(tensor)).toEqual({ ...exact.info(tensor), dtype });
    const [wanted, got] = await Promise.all([exact.readFloat32(tensor), halves.readFloat32(tensor)]);
    const off = wanted.findIndex((value, index) => {
      return Math.abs(value - (got[index] ?? NaN)) > Math.abs(value) * relative + absolute || Number.isNaN(got[index]);
    });
    expect({ tensor, off }).toEqual({ tensor, off: -1 });
  }
  await Promise.all([exact.close(), halves.close()]);
});
