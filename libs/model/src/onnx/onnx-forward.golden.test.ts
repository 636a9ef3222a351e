import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { openEncoder } from '@nautil/formats/encoder';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import {
  classifierWeights,
  encoderLayout,
  encoderWeights,
  Forward,
  type InferencePrecision,
  initialWeight,
  ModelWeights,
  OnnxForward,
  parseEncoderConfig,
  readWeights,
  type WeightSpec,
} from '../index.js';
import { activationNames } from '../layers/activation.js';
import { headWeights } from '../weights.js';

const tolerance = 1e-4;

interface ParityRow {
  input_ids: number[];
  first_token: number[];
}

const { models } = readGoldenJson('hf_parity.json') as { models: Record<string, { rows: ParityRow[] }> };
const megatron = readGoldenJson('megatron-bert-tiny/expected.json') as {
  rows: (ParityRow & { layer_norm_eps: number })[];
};

const [megatronEpsilon] = megatron.rows.map((row) => row.layer_norm_eps);
type Family = [name: string, o: { rows: ParityRow[]; changes: JsonObject }];

const families: Family[] = [
  ...Object.entries(models).map(([name, { rows }]): Family => [name, { rows, changes: {} }]),
  [
    'megatron-bert-tiny',
    {
      rows: megatron.rows.filter((row) => row.layer_norm_eps === megatronEpsilon),
      changes: { layer_norm_eps: megatronEpsilon! },
    },
  ],
];

/** The same model in both engines. With `numClasses`, it has a head of two layers with random weights. */
async function load(
  name: string,
  o: { changes?: JsonObject; numClasses?: number; precision?: InferencePrecision } = {},
) {
  const path = goldenPath(name);
  const opened = await openEncoder({ path, layout: encoderLayout });
  const encoder = parseEncoderConfig({ ...opened.config, ...o.changes }, name);
  const head = o.numClasses === undefined ? undefined : { numClasses: o.numClasses, numOutputLayers: 2 };
  const specs: WeightSpec[] = [
    ...encoderWeights(encoder),
    ...(head ? headWeights({ ...head, hiddenSize: encoder.hiddenSize }) : []),
  ];
  const inFile = new Set(opened.tensors.names());
  const heads = new Map(
    specs.filter(({ name: weight }) => !inFile.has(weight)).map((spec) => [spec.name, initialWeight(spec, 7)]),
  );
  const read = async (weight: string) => (inFile.has(weight) ? opened.tensors.readFloat32(weight) : heads.get(weight));
  const weights = new ModelWeights({ specs });
  await weights.load(read, name);
  const onnx = await OnnxForward.open({
    encoder,
    head,
    weights: await readWeights(specs, read, name),
    precision: o.precision,
  });
  await opened.close();
  return {
    encoder,
    onnx,
    tensorflow: new Forward(weights, { encoder, ...(head ? { head } : {}) }),
    close() {
      weights.close();
      onnx.close();
    },
  };
}

function expectClose(actual: readonly Float32Array[], expected: readonly ArrayLike<number>[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [row, values] of expected.entries()) {
    expect(actual[row]).toHaveLength(values.length);
    const differences = Array.from(values, (value, i) => Math.abs(actual[row]![i]! - value));
    expect(differences.filter((difference) => !(difference < tolerance))).toEqual([]);
  }
}

describe.each(families)('%s in onnxruntime', (name, { rows, changes }) => {
  const ids = rows.map((row) => row.input_ids);
  const expected = rows.map((row) => row.first_token);

  test("gives transformers' vectors, padded and alone", async () => {
    expect(rows.length).toBeGreaterThan(0);
    const { onnx, encoder, close } = await load(name, { changes });
    const padId = encoder.padTokenId;
    expectClose(await onnx.runRows(ids, { padId, batchSize: ids.length }), expected);
    expectClose(await onnx.runRows(ids, { padId, batchSize: 1 }), expected);
    expect(await onnx.runRows([], { padId, batchSize: 1 })).toEqual([]);
    close();
  });

  test("gives TensorFlow's logits, up to the longest row, and also with NeMo's padding", async () => {
    const { onnx, tensorflow, encoder, close } = await load(name, { changes, numClasses: 5 });
    const [first] = ids;
    const long = Array.from({ length: encoder.maxLength }, (_, at) => first![at % first!.length]!);
    for (const nemoPadding of [false, true]) {
      const o = { padId: encoder.padTokenId, batchSize: 3, nemoPadding };
      const all = [...ids, long, [first![0]!]];
      expectClose(await onnx.runRows(all, o), await tensorflow.runRows(all, o));
    }
    await expect(onnx.runRows([[...long, first![0]!]], { padId: 0, batchSize: 1 })).rejects.toMatchObject({
      name: 'InputTooLong',
    });
    close();
  });

  test('gives finite numbers for a row that is all padding, those of TensorFlow', async () => {
    const { onnx, tensorflow, encoder, close } = await load(name, { changes });
    const length = 8;
    const batch = { size: 2, length, ids: new Int32Array(16).fill(encoder.padTokenId), mask: new Int32Array(16) };
    batch.ids.set(ids[0]!.slice(0, 4));
    batch.mask.fill(1, 0, 4);
    const values = await onnx.run(batch);
    expectClose([values], [await tensorflow.run(batch)]);
    expect(values.filter((value) => !Number.isFinite(value))).toEqual(new Float32Array());
    close();
  });
});

test.each(families)('%s in int8 is close to float32, and a row does not depend on its batch', async (name, o) => {
  const int8 = await load(name, { changes: o.changes, precision: 'int8' });
  const ids = o.rows.map((row) => row.input_ids);
  const padId = int8.encoder.padTokenId;
  const together = await int8.onnx.runRows(ids, { padId, batchSize: ids.length });
  for (const [row, { first_token: expected }] of o.rows.entries()) {
    const [alone] = await int8.onnx.runRows([ids[row]!], { padId, batchSize: 1 });
    // Float32 rounds sums of other sizes differently, and the difference may move a number to the next byte.
    expect(relativeDistance(alone!, together[row]!)).toBeLessThan(0.005);
    expect(relativeDistance(together[row]!, expected)).toBeLessThan(0.05);
    expect(relativeDistance(together[row]!, expected)).toBeGreaterThan(0);
  }
  int8.close();
});

function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const norm = (values: readonly number[]): number => Math.hypot(...values);
  return norm(Array.from(actual, (value, i) => value - expected[i]!)) / norm(Array.from(expected));
}

test.each(activationNames)("the activation %s gives TensorFlow's numbers", async (hidden_act) => {
  const { onnx, tensorflow, encoder, close } = await load('bert-tiny-uncased', { changes: { hidden_act } });
  const rows = models['bert-tiny-uncased']!.rows.map((row) => row.input_ids);
  const o = { padId: encoder.padTokenId, batchSize: 4 };
  expectClose(await onnx.runRows(rows, o), await tensorflow.runRows(rows, o));
  close();
});

test('a weight that is not finite is rejected by its name before onnxruntime is given the model', async () => {
  const opened = await openEncoder({ path: goldenPath('bert-tiny-uncased'), layout: encoderLayout });
  const encoder = parseEncoderConfig(opened.config, 'tiny');
  const specs = classifierWeights({ encoder, numClasses: 2, numOutputLayers: 1 });
  const read = (name: string) => {
    const { shape } = specs.find((spec) => spec.name === name)!;
    const data = new Float32Array(shape.reduce((size, dim) => size * dim, 1));
    if (name.endsWith('layer0.bias')) data[1] = NaN;
    return Promise.resolve(data);
  };
  await expect(readWeights(specs, read, 'a.nemo')).rejects.toThrow(
    'a.nemo: the weight classifier.mlp.layer0.bias contains NaN at index 1',
  );
  await opened.close();
});
