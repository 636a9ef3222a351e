import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';

const onnx = await import('@nautil/onnx');
const create = jest.fn(() => Promise.reject(new onnx.OnnxRuntimeMissing('onnxruntime cannot be loaded: no such file')));
jest.unstable_mockModule('@nautil/onnx', () => ({ ...onnx, OnnxSession: { create } }));
const { Classifier } = await import('./classifier.js');

const folder = mkdtempSync(join(tmpdir(), 'nautil-engine-'));
afterAll(() => rmSync(folder, { recursive: true }));
const archive = goldenPath('nemo', 'tiny_bert.nemo');

test('where onnxruntime cannot be loaded, TensorFlow computes the same, and a note states it', async () => {
  const fallback = await Classifier.open(archive, { engine: 'auto' });
  const tensorflow = await Classifier.open(archive);
  expect(fallback.notes).toContain('TensorFlow computes: onnxruntime cannot be loaded: no such file');
  expect(tensorflow.notes).toEqual(fallback.notes.slice(0, -1));
  expect(await fallback.predict(['a good film'])).toEqual(await tensorflow.predict(['a good film']));
  fallback.close();
  tensorflow.close();
});

test('onnxruntime that was asked for by name, and cannot be loaded, is an error', async () => {
  await expect(Classifier.open(archive, { engine: 'onnxruntime' })).rejects.toThrow(onnx.OnnxRuntimeMissing);
});

test('an archive with a flipped bit is rejected before onnxruntime is given anything', async () => {
  create.mockClear();
  const bytes = readFileSync(archive);
  bytes[bytes.lastIndexOf(Buffer.from('model_weights.ckpt')) + 4000]! ^= 0x01;
  const damaged = join(folder, 'flipped.nemo');
  writeFileSync(damaged, bytes);
  await expect(Classifier.open(damaged, { engine: 'onnxruntime' })).rejects.toMatchObject({ name: 'CorruptFile' });
  expect(create).not.toHaveBeenCalled();
});
