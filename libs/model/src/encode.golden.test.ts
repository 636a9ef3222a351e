import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { openEncoder, readEncoderConfig } from '@nautil/formats/encoder';
import { Graph, hostTensor, type Output, Session, trace } from '@nautil/tensorflow';
import { goldenPath, readGoldenJson, testIf } from '@nautil/testing';
import { pool } from './classify.js';
import { encode } from './encode.js';
import {
  type EncoderConfig,
  encoderLayout,
  encoderWeights,
  Forward,
  ModelWeights,
  parseEncoderConfig,
} from './index.js';
import type { TransformerConfig } from './layers/transformer.js';

const tolerance = 1e-4;

interface Rows {
  ids: number[][];
  mask: number[][];
  types?: number[][] | undefined;
}

interface Encoded {
  /** [B][T][H], by layer: the embeddings first. */
  hidden: number[][][][];
  /** [B][A][T][T], by layer. */
  attention: number[][][][][];
  /** [B][H] */
  pooled?: number[][];
  /** [B][H], of the computation that does no more than it must. */
  firstOnly: number[][];
}

/** An encoder from a folder or file, in a session; `changes` to its configuration, or one when it has none. */
async function runEncoder(path: string, changes: JsonObject = {}) {
  const found = await readEncoderConfig(path);
  const source = await openEncoder({
    path,
    layout: encoderLayout,
    ...(found ? { config: { ...found, ...changes } } : {}),
  });
  const config = parseEncoderConfig(source.config, path);
  const graph = new Graph();
  const session = new Session(graph);
  const reads: Record<string, Output> = {};
  for (const name of source.tensors.names()) {
    const { shape } = source.tensors.info(name);
    reads[name] = graph.constant('float32', [...shape], await source.tensors.readFloat32(name));
  }
  await source.close();
  const compiled = new Map<string, ReturnType<typeof compile>>();
  return {
    config,
    async run(rows: Rows): Promise<Encoded> {
      const shape = [rows.ids.length, rows.ids[0]!.length];
      const key = [...shape, rows.types !== undefined].join();
      const at = compiled.get(key) ?? compile(graph, config, reads, shape, rows.types !== undefined);
      compiled.set(key, at);
      const values = await session.run({
        feeds: [rows.ids, rows.mask, ...(rows.types ? [rows.types] : [])].map((input, i) => [
          at.inputs[i]!,
          hostTensor('int32', shape, Int32Array.from(input.flat())),
        ]),
        fetches: [at.firstOnly, ...at.pooled, ...at.hidden, ...at.attention],
      });
      const [firstOnly, ...rest] = values.map((value) => nest(value.shape, value.data as Float32Array));
      const pooled = rest.splice(0, at.pooled.length)[0];
      return { firstOnly, pooled, hidden: rest.splice(0, at.hidden.length), attention: rest } as Encoded;
    },
    close() {
      session.close();
      graph.close();
    },
  };
}

/** The encoder for one shape, in full and for the first token alone. */
function compile(
  graph: Graph,
  config: EncoderConfig,
  reads: Record<string, Output>,
  shape: number[],
  withTypes: boolean,
) {
  const inputs = Array.from({ length: withTypes ? 3 : 2 }, () => graph.placeholder('int32', shape));
  const hidden: Output[] = [];
  const attention: Output[] = [];
  return trace(graph, ({ tensor, output }) => {
    const weights = Object.fromEntries(Object.entries(reads).map(([name, read]) => [name, tensor(read)]));
    const [ids, mask, types] = inputs.map((input) => tensor(input));
    const input = { ids: ids!, mask: mask!, types };
    encode(config, weights, input, {
      onHidden: (layer, x) => (hidden[layer] = output(x)),
      onAttention: (layer, x) => (attention[layer] = output(x)),
    });
    const first = encode(config, weights, input, { firstTokenOnly: true });
    const pooled = 'pooler.dense.weight' in reads ? [output(pool(weights, first))] : [];
    return { inputs, hidden, attention, pooled, firstOnly: output(first) };
  });
}

function nest(shape: readonly number[], data: Float32Array): unknown {
  if (shape.length <= 1) return Array.from(data);
  const size = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, i) => nest(shape.slice(1), data.subarray(i * size, (i + 1) * size)));
}

function largestDifference(actual: readonly number[], expected: readonly number[]): number {
  expect(actual).toHaveLength(expected.length);
  return Math.max(...actual.map((x, i) => Math.abs(x - expected[i]!)).map((x) => (Number.isNaN(x) ? Infinity : x)));
}

const ones = (rows: number[][]) => rows.map((row) => row.map(() => 1));

interface ParityRow {
  input_ids: number[];
  token_type_ids: number[];
  first_token: number[];
  last_token?: number[];
  pooled?: number[];
}

interface Parity {
  models: Record<
    string,
    { rows: ParityRow[]; padded_batch_first_token: number[][]; padded_batch_shape: [number, number]; pair: ParityRow }
  >;
}

const parity = readGoldenJson('hf_parity.json') as Parity;

describe.each(Object.entries(parity.models))('%s', (name, truth) => {
  let encoder: Awaited<ReturnType<typeof runEncoder>>;
  beforeAll(async () => {
    encoder = await runEncoder(goldenPath(name));
  });
  afterAll(() => encoder.close());

  test("gives transformers' first, last and pooled vectors, one row at a time", async () => {
    expect(truth.rows.length).toBeGreaterThan(0);
    for (const row of [...truth.rows, truth.pair]) {
      const types = encoder.config.typeVocabSize > 1 ? [row.token_type_ids] : undefined;
      const out = await encoder.run({ ids: [row.input_ids], mask: ones([row.input_ids]), types });
      const last = out.hidden.at(-1)![0]!;
      expect(largestDifference(last[0]!, row.first_token)).toBeLessThan(tolerance);
      if (row.last_token) expect(largestDifference(last.at(-1)!, row.last_token)).toBeLessThan(tolerance);
      if (row.pooled) expect(largestDifference(out.pooled![0]!, row.pooled)).toBeLessThan(tolerance);
      expect(largestDifference(out.firstOnly[0]!, row.first_token)).toBeLessThan(tolerance);
    }
  });

  test('gives the same first vectors for all rows as one padded batch', async () => {
    const [, width] = truth.padded_batch_shape;
    const pad = (values: number[], by: number) => [...values, ...Array<number>(width - values.length).fill(by)];
    const out = await encoder.run({
      ids: truth.rows.map((row) => pad(row.input_ids, encoder.config.padTokenId)),
      mask: ones(truth.rows.map((row) => row.input_ids)).map((row) => pad(row, 0)),
    });
    for (const [i, expected] of truth.padded_batch_first_token.entries()) {
      expect(largestDifference(out.hidden.at(-1)![i]![0]!, expected)).toBeLessThan(tolerance);
      expect(largestDifference(out.firstOnly[i]!, out.hidden.at(-1)![i]![0]!)).toBeLessThan(1e-5);
    }
  });

  test('gives finite numbers for a row that is all padding', async () => {
    const out = await encoder.run({
      ids: [truth.rows[0]!.input_ids, truth.rows[0]!.input_ids.map(() => encoder.config.padTokenId)],
      mask: [truth.rows[0]!.input_ids.map(() => 1), truth.rows[0]!.input_ids.map(() => 0)],
    });
    expect(out.firstOnly[1]!.filter((value) => !Number.isFinite(value))).toEqual([]);
    expect(largestDifference(out.firstOnly[0]!, truth.rows[0]!.first_token)).toBeLessThan(tolerance);
  });
});

test.each(Object.entries(parity.models))(
  'rows of any lengths are computed in batches, and their vectors are returned in order: %s',
  async (name, { rows }) => {
    const opened = await openEncoder({ path: goldenPath(name), layout: encoderLayout });
    const encoder = parseEncoderConfig(opened.config, name);
    const weights = new ModelWeights({ specs: encoderWeights(encoder) });
    const inFile = new Set(opened.tensors.names());
    await weights.load(async (weight) => (inFile.has(weight) ? opened.tensors.readFloat32(weight) : undefined), name);
    await opened.close();
    const forward = new Forward(weights, { encoder });
    const vectorsOf = (ids: number[][]) => forward.runRows(ids, { padId: encoder.padTokenId, batchSize: 3 });
    try {
      const vectors = await vectorsOf(rows.map((row) => row.input_ids));
      for (const [i, { first_token }] of rows.entries())
        expect(largestDifference([...vectors[i]!], first_token)).toBeLessThan(tolerance);
      expect(await vectorsOf([])).toEqual([]);
      const tooLong = Array<number>(encoder.maxLength + 1).fill(rows[0]!.input_ids[0]!);
      await expect(vectorsOf([tooLong])).rejects.toThrow(/tokens: this \S+ has positions for \d+/);
    } finally {
      weights.close();
    }
  },
);

test("every hidden state and attention probability is transformers', where there is no padding", async () => {
  const source = await openTensors(goldenPath('bert_activations.safetensors'));
  const read = async (name: string) => nest(source.info(name).shape, await source.readFloat32(name));
  const integers = async (name: string) => {
    const bytes = await source.read(name);
    expect(source.info(name).dtype).toBe('I64');
    const values = new BigInt64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    return nest(source.info(name).shape, Float32Array.from(values, Number)) as number[][];
  };
  const mask = await integers('attention_mask');
  const encoder = await runEncoder(goldenPath('bert-tiny-uncased'));
  const out = await encoder.run({ ids: await integers('input_ids'), mask, types: await integers('token_type_ids') });
  expect(out.hidden).toHaveLength(encoder.config.numLayers + 1);
  for (const [layer, hidden] of out.hidden.entries()) {
    const expected = (await read(`hidden.${layer}`)) as number[][][];
    for (const [row, tokens] of mask.entries()) {
      for (const [t, real] of tokens.entries()) {
        if (real) expect(largestDifference(hidden[row]![t]!, expected[row]![t]!)).toBeLessThan(tolerance);
      }
    }
  }
  for (const [layer, attention] of out.attention.entries()) {
    const expected = (await read(`attn_probs.${layer}`)) as number[][][][];
    for (const [row, tokens] of mask.entries()) {
      for (const [head, probabilities] of attention[row]!.entries()) {
        for (const [t, real] of tokens.entries()) {
          if (real) expect(largestDifference(probabilities[t]!, expected[row]![head]![t]!)).toBeLessThan(tolerance);
        }
      }
    }
  }
  const pooled = (await read('pooled')) as number[][];
  for (const [row, expected] of pooled.entries())
    expect(largestDifference(out.pooled![row]!, expected)).toBeLessThan(tolerance);
  encoder.close();
  await source.close();
});

/** The recorded vectors of a model, one row at a time, are what this encoder gives. */
async function expectVectors(encoder: Awaited<ReturnType<typeof runEncoder>>, rows: readonly Vectors[]) {
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    const out = await encoder.run({ ids: [row.input_ids], mask: ones([row.input_ids]) });
    expect(largestDifference(out.hidden.at(-1)![0]![0]!, row.first_token)).toBeLessThan(tolerance);
    expect(largestDifference(out.firstOnly[0]!, row.first_token)).toBeLessThan(tolerance);
    if (row.pooled) expect(largestDifference(out.pooled![0]!, row.pooled)).toBeLessThan(tolerance);
  }
  encoder.close();
}

interface Vectors {
  input_ids: number[];
  first_token: number[];
  pooled?: number[];
}

const copies = mkdtempSync(join(tmpdir(), 'nautil-encoders-'));
afterAll(() => rmSync(copies, { recursive: true }));

test.each(['legacy_nonzip.bin', 'pretraining_gamma_beta_tied.bin'])(
  '%s gives the vectors of the model that it was saved from',
  async (file) => {
    copyFileSync(goldenPath('bert-tiny-variants', file), join(copies, 'pytorch_model.bin'));
    copyFileSync(goldenPath('bert-tiny-uncased', 'config.json'), join(copies, 'config.json'));
    await expectVectors(await runEncoder(copies), parity.models['bert-tiny-uncased']!.rows);
    rmSync(join(copies, 'config.json'));
  },
);

test.each(['camembert', 'xlm-roberta'])('%s is computed as RoBERTa is', async (model_type) => {
  const encoder = await runEncoder(goldenPath('roberta-tiny'), { model_type });
  expect(encoder.config.modelType).toBe(model_type);
  await expectVectors(encoder, parity.models['roberta-tiny']!.rows);
});

test.each([
  ['gpt2', /decoder/],
  ['llama', /decoder/],
  ['t5', /encoder-decoder/],
  ['vit', /vision/],
  ['new', /GTE/],
  ['deberta', /first version/],
  ['xlnet', /not supported$/],
])('%s is refused by its name, with the list of what works', async (model_type, message) => {
  const folder = mkdtempSync(join(copies, 'other-'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type }));
  copyFileSync(goldenPath('bert-tiny-uncased/model.safetensors'), join(folder, 'model.safetensors'));
  const error: unknown = await openEncoder({ path: folder, layout: encoderLayout }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: 'UnsupportedEncoder',
    message: expect.stringContaining(JSON.stringify(model_type)),
    hint: expect.stringMatching(/bert, roberta, camembert, xlm-roberta, distilbert, megatron-bert/),
  });
  expect((error as Error).message).toMatch(message);
});

describe('Megatron-BERT', () => {
  const folder = goldenPath('megatron-bert-tiny');
  const { rows } = readGoldenJson('megatron-bert-tiny/expected.json') as {
    rows: (Vectors & { layer_norm_eps: number })[];
  };
  const epsilons = [...new Set(rows.map((row) => row.layer_norm_eps))];
  const checkpoints = readdirSync(folder).filter((name) => name.endsWith('.pt'));
  const files = ['model.safetensors', ...checkpoints];

  test('is recorded at two epsilons, from checkpoints of Megatron-LM', () => {
    expect(epsilons.length).toBeGreaterThan(1);
    expect(checkpoints.length).toBeGreaterThan(0);
  });

  test.each(files.flatMap((file) => epsilons.map((epsilon) => [file, epsilon] as const)))(
    "%s gives transformers' vectors at the epsilon %s",
    async (file, layer_norm_eps) =>
      expectVectors(
        await runEncoder(join(folder, file), { layer_norm_eps }),
        rows.filter((row) => row.layer_norm_eps === layer_norm_eps),
      ),
  );

  const file = checkpoints.find((name) => name.includes('args'));
  testIf(
    file !== undefined,
    'the golden set has no checkpoint with arguments',
    'is computed with the heads and the epsilon in its arguments when it has no config.json',
    async () => {
      copyFileSync(join(folder, file!), join(copies, 'model_optim_rng.pt'));
      rmSync(join(copies, 'pytorch_model.bin'), { force: true });
      const encoder = await runEncoder(copies);
      const trained = rows.filter((row) => row.layer_norm_eps === (encoder.config as TransformerConfig).layerNormEps);
      await expectVectors(encoder, trained);
    },
  );
});
