import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { openEncoder } from '@nautil/formats/encoder';
import { writeNemo } from '@nautil/formats/nemo';
import { classifierWeights, encoderLayout, encoderPrefix, initialWeight, parseEncoderConfig } from '@nautil/model';
import { nautilHome } from '@nautil/store/folders';
import { type GoldenEncoder, goldenEncoders, goldenPath, readGoldenJson } from '@nautil/testing';
import { loadTokenizer } from '@nautil/tokenization';
import { Classifier } from '@nautil/training';
import { exportModel } from '@nautil/training/export-model';

// Needs the Python environment of the benchmark, which `npx nx run benchmark:peers` installs.
const python = join(nautilHome(), 'benchmark/venv/bin/python');
const tolerance = 1e-5;

const folder = mkdtempSync(join(tmpdir(), 'nautil-exported-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Loaded {
  class: string;
  labels: string[];
  problems: JsonObject;
  messages: string[];
  ids: number[][];
  logits: number[][];
  batched: number[][];
  onnx: number[][];
  onnxBatched: number[][];
}

/** A classifier with the weights of a golden encoder and a random head, as an archive of Nautil's. */
async function writeClassifier(
  { folder: path, name }: GoldenEncoder,
  head: { numOutputLayers: number; numClasses: number },
): Promise<string> {
  const source = await openEncoder({ path, layout: encoderLayout });
  const inFile = new Set(source.tensors.names());
  const encoder = parseEncoderConfig(source.config, path);
  const tokenizer = await loadTokenizer({ folder: path, modelType: encoder.modelType });
  const archive = join(folder, `${name.replace('/', '-')}-${head.numOutputLayers}.nemo`);
  const labels = Array.from({ length: head.numClasses }, (_, id) => `class ${id}`);
  await writeNemo({
    path: archive,
    config: {
      language_model: { pretrained_model_name: name },
      dataset: { num_classes: head.numClasses },
      classifier_head: { num_output_layers: head.numOutputLayers },
    },
    tensors: classifierWeights({ encoder, ...head }).map((spec) => ({
      ...{ name: spec.name, dtype: 'F32', shape: spec.shape },
      data: () => {
        const weight = spec.name.slice(encoderPrefix.length);
        return spec.name.startsWith(encoderPrefix) && inFile.has(weight)
          ? source.tensors.readFloat32(weight)
          : initialWeight({ ...spec, init: 'normal', std: 0.3 }, 3);
      },
    })),
    artifacts: [],
    encoderConfig: source.config,
    vocabulary: tokenizer.vocabulary(),
    record: { version: 1, tokenizer: tokenizer.definition as unknown as JsonObject, labels, lineage: {} },
  });
  await source.close();
  return archive;
}

const texts = [
  'a gorgeous, witty film',
  'the worst of the year',
  'it is what it is',
  'One more TIME — naïve café 🙂',
  '',
];

/** What transformers makes of exported folders. */
function loadInTransformers(inputs: Record<string, readonly unknown[]>): Record<string, Loaded> {
  const script = join(import.meta.dirname, 'testing/load-exported.py');
  const { stdout, stderr, status } = spawnSync(python, [script], {
    input: JSON.stringify(inputs),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${python}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, Loaded>;
}

function expectClose(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [row, logits] of expected.entries())
    for (const [id, logit] of Array.from(logits).entries())
      expect(Math.abs(actual[row]![id]! - logit)).toBeLessThan(tolerance);
}

describe('NeMo’s archives in transformers', () => {
  const names = ['tiny_bert', 'tiny_distilbert'];
  interface Expected {
    rows: { text: string; input_ids: number[]; logits: number[] }[];
  }
  const expectedOf = (name: string) => readGoldenJson(`nemo/${name}.nemo.expected.json`) as Expected;
  let loaded: Record<string, Loaded>;
  beforeAll(async () => {
    for (const name of names)
      await exportModel({
        ...{ model: goldenPath('nemo', `${name}.nemo`), output: join(folder, name) },
        ...{ format: 'hf', force: false },
      });
    loaded = loadInTransformers(
      Object.fromEntries(names.map((name) => [join(folder, name), expectedOf(name).rows.map(({ text }) => text)])),
    );
  }, 300_000);

  test.each(names)('%s loads without a warning, and gives NeMo’s ids and logits', (name) => {
    const { problems, messages, ids, logits, batched, onnx, onnxBatched, ...rest } = loaded[join(folder, name)]!;
    const { rows } = expectedOf(name);
    expect({ problems, messages, class: rest.class }).toEqual({
      problems: {},
      messages: [],
      class: 'DistilBertForSequenceClassification',
    });
    expect(ids).toEqual(rows.map(({ input_ids }) => input_ids));
    for (const actual of [logits, batched, onnx, onnxBatched])
      expectClose(
        actual,
        rows.map((row) => row.logits),
      );
  });
});

test('int8 is written by onnxruntime’s own tools', async () => {
  const model = goldenPath('nemo/tiny_roberta.nemo');
  const [float32, int8] = ['float32.onnx', 'int8.onnx'].map((name) => join(folder, name)) as [string, string];
  await exportModel({ model, output: float32, format: 'onnx', force: false });
  await exportModel({ model, output: int8, format: 'onnx', force: false, int8: { python } });
  const multipliesBytes = (path: string) => readFileSync(path).includes('MatMulInteger');
  expect([float32, int8].map(multipliesBytes)).toEqual([false, true]);
}, 120_000);

describe('every family in transformers', () => {
  const depths = [1, 2];
  const archives = new Map<string, string>();
  const refused: string[] = [];
  let loaded: Record<string, Loaded>;
  beforeAll(async () => {
    const withTokenizer = goldenEncoders().filter(({ folder: path }) => readdirSync(path).includes('tokenizer.json'));
    for (const golden of withTokenizer)
      for (const numOutputLayers of depths) {
        const model = await writeClassifier(golden, { numOutputLayers, numClasses: 3 });
        const output = model.replace(/\.nemo$/, '');
        try {
          await exportModel({ model, output, format: 'hf', force: false });
          archives.set(output, model);
        } catch (error) {
          if ((error as Error).name !== 'NoTransformersClass') throw error;
          refused.push(basename(output));
        }
      }
    loaded = loadInTransformers(Object.fromEntries([...archives.keys()].map((output) => [output, texts])));
  }, 300_000);

  test('the exported models have the archives’ ids, labels and logits, without a warning', async () => {
    expect(archives.size).toBeGreaterThan(4);
    for (const [output, model] of archives) {
      const { problems, messages, labels, ids, logits, batched, onnx, onnxBatched } = loaded[output]!;
      const name = basename(output);
      expect({ name, problems, messages }).toEqual({ name, problems: {}, messages: [] });
      const classifier = await Classifier.open(model, { engine: 'onnxruntime' });
      expect(labels).toEqual(classifier.labels);
      expect(ids).toEqual(texts.map((text) => classifier.tokenizer.encode(text, classifier.maxTokens)));
      const expected = await classifier.logits(ids);
      for (const actual of [logits, batched, onnx, onnxBatched]) expectClose(actual, expected);
      classifier.close();
    }
    process.stdout.write(
      `\n${[...archives.keys()].map((output) => `${basename(output)}: ${loaded[output]!.class}`).join('\n')}\nrefused: ${refused.join(', ')}\n`,
    );
  }, 300_000);
});
