import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { CheckpointError } from './errors.js';
import { readNemo } from './nemo/read-nemo.js';
import { openTensors } from './open-tensors.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-truncated-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Opens a file and reads all of its tensors. Returns the error's message, or 'it was read'. */
async function outcomeOf(path: string): Promise<string> {
  try {
    const opened = path.endsWith('.nemo') ? await readNemo(path) : { tensors: await openTensors(path) };
    try {
      for (const name of opened.tensors.names()) await opened.tensors.read(name);
      return 'it was read';
    } finally {
      await ('close' in opened ? opened : opened.tensors).close();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return (error as CheckpointError).message;
  }
}

/** Every 512th byte, the bytes around these, and the first and last bytes of the file. */
function truncations(size: number): number[] {
  const points = new Set<number>();
  for (let at = 0; at < size; at += 512) for (const around of [at - 1, at, at + 1, at + 257]) points.add(around);
  for (let at = 0; at < 80; at += 1) points.add(at).add(size - 1 - at);
  return [...points].filter((at) => at >= 0 && at < size).sort((a, b) => a - b);
}

/** The length after which a tar is complete: its last member and one block of zeros. */
function tarEnd(bytes: Buffer): number {
  let at = 0;
  while (bytes.subarray(at, at + 512).some((byte) => byte !== 0)) {
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return at + 512;
}

const tar = readFileSync(goldenPath('nemo', 'tiny_bert.nemo'));

test.each<[string, string, Buffer, number]>([
  ['a tar', 'cut.nemo', tar, tarEnd(tar)],
  ['a gzipped tar', 'cut.nemo', gzipSync(tar), Infinity],
  ['safetensors', 'cut.safetensors', readFileSync(goldenPath('bert-tiny-uncased', 'model.safetensors')), Infinity],
  ['a zip of torch.save', 'cut.bin', readFileSync(goldenPath('bert-tiny-uncased', 'pytorch_model.bin')), Infinity],
  ['a stream of torch.save', 'cut.bin', readFileSync(goldenPath('bert-tiny-variants', 'legacy_nonzip.bin')), Infinity],
])('%s that was truncated anywhere is reported as cut off, or as empty', async (_, name, bytes, complete) => {
  const path = join(folder, name);
  const points = truncations(bytes.length);
  // At most about 600 files: a larger set's files have ten times as many blocks.
  const stride = Math.ceil(points.length / 600);
  for (const [index, at] of points.entries()) {
    if (at >= complete || (at > 8192 && at < bytes.length - 80 && index % stride !== 0)) continue;
    writeFileSync(path, bytes.subarray(0, at));
    expect({ at, message: await outcomeOf(path) }).toEqual({
      at,
      message: expect.stringMatching(at === 0 ? /empty/ : /cut off/) as unknown,
    });
  }
  writeFileSync(path, bytes);
  expect(await outcomeOf(path)).toBe('it was read');
});
