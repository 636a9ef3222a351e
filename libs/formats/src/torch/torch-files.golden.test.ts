import { expect, test } from '@jest/globals';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import { openTensors } from '../open-tensors.js';
import type { TensorSource } from '../tensor-source.js';

async function withTensors<T>(path: string, use: (source: TensorSource) => Promise<T>): Promise<T> {
  const source = await openTensors(path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

async function bytesOf(path: string): Promise<Map<string, { dtype: string; shape: readonly number[]; data: string }>> {
  return withTensors(path, async (source) => {
    const entries = source.names().map(async (name) => {
      const data = Buffer.from(await source.read(name)).toString('base64');
      return [name, { ...source.info(name), data }] as const;
    });
    return new Map((await Promise.all(entries)).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

test.each(['bert-tiny-uncased', 'bert-tiny-cased', 'roberta-tiny', 'distilbert-tiny', 'megatron-bert-tiny'])(
  "%s/pytorch_model.bin holds model.safetensors' bytes",
  async (model) => {
    expect(await bytesOf(goldenPath(model, 'pytorch_model.bin'))).toEqual(
      await bytesOf(goldenPath(model, 'model.safetensors')),
    );
  },
);

test('the stream form of PyTorch before 1.6 holds the same bytes', async () => {
  await withTensors(goldenPath('bert-tiny-variants/legacy_nonzip.bin'), async (source) =>
    expect(source.format).toBe('torch-legacy'),
  );
  expect(await bytesOf(goldenPath('bert-tiny-variants/legacy_nonzip.bin'))).toEqual(
    await bytesOf(goldenPath('bert-tiny-uncased/model.safetensors')),
  );
});

test.each(['fp16', 'bf16'])('%s.bin holds the bytes of its safetensors', async (name) => {
  expect(await bytesOf(goldenPath(`bert-tiny-variants/${name}.bin`))).toEqual(
    await bytesOf(goldenPath(`bert-tiny-variants/${name}.safetensors`)),
  );
});

test('the zoo of views, types and containers is read as PyTorch reads it', async () => {
  const truth = readGoldenJson('bert-tiny-variants/torch_pickle_zoo.json') as {
    transposed_shape: number[];
    transposed: number[];
    slice_shape: number[];
    slice: number[];
    f64: number[];
    i64: number[];
    scalar: number;
  };
  await withTensors(goldenPath('bert-tiny-variants/torch_pickle_zoo.pt'), async (source) => {
    expect(source.info('transposed')).toEqual({ dtype: 'F32', shape: truth.transposed_shape });
    expect([...(await source.readFloat32('transposed'))]).toEqual(truth.transposed);
    expect(source.info('slice')).toEqual({ dtype: 'F32', shape: truth.slice_shape });
    expect([...(await source.readFloat32('slice'))]).toEqual(truth.slice);
    expect(source.info('f64').dtype).toBe('F64');
    expect([...new Float64Array((await source.read('f64')).buffer)]).toEqual(truth.f64);
    expect(source.info('i64').dtype).toBe('I64');
    expect([...new BigInt64Array((await source.read('i64')).buffer)]).toEqual(truth.i64.map(BigInt));
    expect(source.info('i32').dtype).toBe('I32');
    expect([...new Int32Array((await source.read('i32')).buffer)]).toEqual(truth.i64);
    expect(source.info('u8').dtype).toBe('U8');
    expect([...(await source.read('u8'))]).toEqual(truth.i64);
    expect(source.info('bool').dtype).toBe('BOOL');
    expect([...(await source.read('bool'))].filter((value) => value !== 0 && value !== 1)).toEqual([]);
    expect(source.info('scalar').shape).toEqual([]);
    expect([...(await source.readFloat32('scalar'))]).toEqual([truth.scalar]);
    expect((await source.read('empty')).length).toBe(0);
    expect(source.info('empty').shape).toContain(0);
    expect((await source.readFloat32('param')).length).toBe(source.info('param').shape[0]);
    expect(source.names()).toContain('nested.t.0');
  });
});

test('reading one tensor reads its bytes alone', async () => {
  const { openByteSource } = await import('../byte-source.js');
  const { readTensors } = await import('../open-tensors.js');
  for (const file of ['model.safetensors', 'pytorch_model.bin']) {
    const whole = await openByteSource(goldenPath('bert-tiny-uncased', file));
    let bytesRead = 0;
    const source = await readTensors({
      ...whole,
      read: (offset, length) => {
        bytesRead += length;
        return whole.read(offset, length);
      },
    });
    bytesRead = 0;
    const name = 'embeddings.LayerNorm.bias';
    const { length } = await source.read(name);
    expect({ file, bytesRead }).toEqual({ file, bytesRead: length });
    await source.close();
  }
});
