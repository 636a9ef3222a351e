import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { type Encoder, openEncoder } from '@nautil/formats/encoder';
import { verifyNemo } from '@nautil/formats/nemo';
import {
  classifierWeights,
  type EncoderConfig,
  encoderLayout,
  encoderWeights,
  Forward,
  hasOnnxExport,
  ModelWeights,
  OnnxForward,
  parseEncoderConfig,
  readWeights,
} from '@nautil/model';
import { type GoldenEncoder, goldenEncoders, goldenPath, testIf } from '@nautil/testing';
import { padRows } from '@nautil/tokenization';
import { archiveTokenizer, Classifier } from '@nautil/training';
import { openTinyRun } from '@nautil/training/testing';
import { roundingSensitivity } from '@nautil/training/testing/rounding-sensitivity';
import { trainRecordedSteps } from '@nautil/training/testing/train-recorded-steps';
import { trainWithInterruptions } from '@nautil/training/testing/train-with-interruptions';
import { type PackagedRun, runStages } from './testing/run-stages.js';

// Every encoder of the golden sets goes through every use of a model. A family that is not supported fails here.
const encoders = goldenEncoders();
const tolerance = 1e-4;

// Of what rounding errors of bfloat16's size do to the losses of the same encoder in float32 (`roundingSensitivity`). PyTorch's autocast
// reached 1.8 of it in 37 encoders, and a training that does not learn 10 or more in all but one of them.
const bfloat16Tolerance = 4;

const columns = ['forward', 'train', 'bf16', 'resume', 'archive', 'export'] as const;
const table = new Map(encoders.map(({ name }) => [name, new Map<(typeof columns)[number], string>()]));

afterAll(() => {
  const width = Math.max(...encoders.map(({ name }) => name.length));
  const line = (name: string, cells: readonly string[]): string =>
    [name.padEnd(width), ...cells.map((cell) => cell.padEnd(13))].join('  ').trimEnd();
  const rows = Array.from(table, ([name, cells]) =>
    line(
      name,
      columns.map((column) => cells.get(column) ?? '-'),
    ),
  );
  process.stdout.write(`\n${[line('family', columns), ...rows].join('\n')}\n`);
});

/** An encoder of a golden set, open. */
async function withOpened<T>(
  { folder, name }: GoldenEncoder,
  use: (opened: {
    encoder: EncoderConfig;
    source: Encoder;
    read: (weight: string) => Promise<Float32Array | undefined>;
  }) => Promise<T>,
): Promise<T> {
  const source = await openEncoder({ path: folder, layout: encoderLayout });
  const inFile = new Set(source.tensors.names());
  try {
    return await use({
      encoder: parseEncoderConfig(source.config, name),
      source,
      read: async (weight) => (inFile.has(weight) ? source.tensors.readFloat32(weight) : undefined),
    });
  } finally {
    await source.close();
  }
}

/** The largest difference of two lists of vectors. NaN counts as infinite. */
function largestDifference(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  expect(actual.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  return actual.reduce(
    (most, row, at) =>
      Array.from(row).reduce((largest, value, i) => {
        const difference = Math.abs(value - expected[at]![i]!);
        return Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
      }, most),
    0,
  );
}

/** Compares the first tokens' hidden states with the recorded ones, alone and in one padded batch. */
async function differenceOf(
  forward: Pick<Forward, 'run'>,
  { rows, batchedFirst }: GoldenEncoder,
  { padTokenId: padId, maxLength, hiddenSize }: EncoderConfig,
): Promise<number> {
  const vectorsOf = async (ids: readonly number[][]): Promise<Float32Array[]> => {
    const values = await forward.run(padRows(ids, { padId, maxLength }));
    return ids.map((_, row) => values.subarray(row * hiddenSize, (row + 1) * hiddenSize));
  };
  expect(rows.length).toBeGreaterThan(0);
  const all = rows.map((row) => row.input_ids);
  const alone = (await Promise.all(all.map((ids) => vectorsOf([ids])))).flat();
  const first = rows.map((row) => row.first);
  return Math.max(largestDifference(alone, first), largestDifference(await vectorsOf(all), batchedFirst ?? first));
}

/** The configuration with every rate of dropout set to 0.1, whatever the family calls them. */
const withDropout = (config: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      key.includes('dropout') && typeof value === 'number' ? 0.1 : value,
    ]),
  );

/** Writes rows of a training set: the recorded texts, or golden's training sentences where none are recorded. */
async function writeData(folder: string, texts: readonly string[]): Promise<string> {
  if (texts.length === 0) return goldenPath('nemo/traj_train.tsv');
  const file = join(folder, 'texts.tsv');
  await writeFile(file, texts.map((text, row) => `${text}\t${row % 3}\n`).join(''));
  return file;
}

const textsOf = ({ rows }: GoldenEncoder): string[] =>
  rows.flatMap(({ text }) => (text === undefined || text.trim() === '' || /[\t\n\r]/.test(text) ? [] : [text]));

describe.each(encoders.map((golden) => [golden.name, golden] as const))('%s', (name, golden) => {
  const cells = table.get(name)!;
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  const temporaryFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'nautil-families-'));
    folders.push(folder);
    return folder;
  };

  test("forward: the first tokens' vectors are transformers', alone and padded", () =>
    withOpened(golden, async ({ encoder, source, read }) => {
      // NeMo restores strictly: an archive must have every weight of transformers' model, and no other.
      expect(source.dropped).toEqual([]);
      expect(source.tensors.names()).toHaveLength(encoderWeights(encoder).length);
      const weights = new ModelWeights({ specs: encoderWeights(encoder) });
      try {
        await weights.load(read, name);
        const difference = await differenceOf(new Forward(weights, { encoder }), golden, encoder);
        cells.set('forward', difference.toExponential(1));
        expect(difference).toBeLessThan(tolerance);
      } finally {
        weights.close();
      }
    }));

  const { training } = golden;
  testIf(training !== undefined, 'no training is recorded', "train: the loss of every step is transformers'", () =>
    withOpened(golden, async ({ encoder, source }) => {
      const head = await openTensors(training!.headFile);
      const rows = golden.rows.map((row) => row.input_ids);
      const losses = { steps: training!.losses.length, rows };
      const start = { encoder, tensors: source.tensors, head };
      try {
        const float32 = await trainRecordedSteps(start, { ...losses, precision: 'float32' });
        const difference = largestDifference([float32], [training!.losses]);
        cells.set('train', difference.toExponential(1));
        expect(difference).toBeLessThan(tolerance);

        const bfloat16 = await trainRecordedSteps(start, { ...losses, precision: 'bfloat16' });
        const rounding = largestDifference([bfloat16], [training!.losses]);
        const sensitivity = await roundingSensitivity(start, losses, float32);
        cells.set('bf16', `${rounding.toExponential(1)} (${(rounding / sensitivity).toFixed(1)})`);
        expect(rounding).toBeLessThan(bfloat16Tolerance * sensitivity);
        expect(bfloat16).not.toEqual(float32);
      } finally {
        await head.close();
      }
    }),
  );

  test('resume: an interrupted training ends with the bytes of an undisturbed one, with dropout', async () => {
    const folder = await temporaryFolder();
    const tiny = await openTinyRun({ model: golden.folder, tsv: await writeData(folder, textsOf(golden)) });
    folders.push(tiny.folder);
    const config = withDropout(JSON.parse(readFileSync(join(golden.folder, 'config.json'), 'utf8')) as JsonObject);
    const bytesOf = async (run: string, interruptAt: number[]): Promise<Buffer> => {
      const job = await tiny.job(run, ['trainer.max_epochs=3']);
      const { result } = await trainWithInterruptions({ ...job, encoder: { ...job.encoder, config } }, interruptAt);
      expect(result.step).toBeGreaterThan(4);
      return readFile(result.lastWeights);
    };
    const whole = await bytesOf('whole', []);
    expect((await bytesOf('resumed', [2, 4])).equals(whole)).toBe(true);
    cells.set('resume', 'equal bytes');
  }, 120_000);

  test('archive: a run’s .nemo opens without the files of the run, with its tokenizer and the same logits', async () => {
    const folder = await temporaryFolder();
    const packaged: PackagedRun = await runStages({
      encoder: golden.folder,
      data: await writeData(folder, textsOf(golden)),
      overrides: ['model.dataset.num_classes=3', 'model.train_ds.batch_size=8', 'model.dataset.max_seq_length=-1'],
    });
    folders.push(packaged.home);
    const [archive, weightsFile] = [join(folder, 'model.nemo'), join(folder, 'weights.safetensors')];
    await writeFile(archive, await readFile(packaged.path));
    await writeFile(weightsFile, await readFile(packaged.weights));
    rmSync(packaged.home, { recursive: true });

    const { checks } = await verifyNemo(archive, { layout: encoderLayout, tokenizer: archiveTokenizer });
    expect(checks.flatMap(({ problems }) => problems)).toEqual([]);
    const classifier = await Classifier.open(archive);
    try {
      const { encoder, tokenizer } = classifier;
      for (const { text, input_ids } of golden.rows) {
        if (text !== undefined)
          expect({ text, ids: tokenizer.encode(text, encoder.maxLength) }).toEqual({ text, ids: input_ids });
      }
      const rows = golden.rows.map((row) => row.input_ids);
      const logits = await classifier.logits(rows);
      expect(logits).toEqual(await logitsOf(weightsFile, encoder, rows, tokenizer.padId));
      expect(new Set(logits.map(String)).size).toBeGreaterThan(1);
    } finally {
      classifier.close();
    }
    cells.set('archive', 'equal logits');
  }, 120_000);

  test('export: onnxruntime gives the same vectors, where the family has an export', () =>
    withOpened(golden, async ({ encoder, read }) => {
      if (!hasOnnxExport(encoder)) {
        cells.set('export', 'TensorFlow');
        return;
      }
      const weights = await readWeights(encoderWeights(encoder), read, name);
      const forward = await OnnxForward.open({ encoder, weights });
      try {
        const difference = await differenceOf(forward, golden, encoder);
        cells.set('export', difference.toExponential(1));
        expect(difference).toBeLessThan(tolerance);
      } finally {
        forward.close();
      }
    }));
});

/** The logits of trained weights, in batches as `Classifier` cuts them. */
async function logitsOf(
  file: string,
  encoder: EncoderConfig,
  rows: readonly (readonly number[])[],
  padId: number,
): Promise<Float32Array[]> {
  const tensors = await openTensors(file);
  const head = { numClasses: 3, numOutputLayers: 2 };
  const weights = new ModelWeights({ specs: classifierWeights({ encoder, ...head }) });
  try {
    const names = new Set(tensors.names());
    await weights.load(async (weight) => (names.has(weight) ? tensors.readFloat32(weight) : undefined), file);
    return await new Forward(weights, { encoder, head }).runRows(rows, { padId, batchSize: 32 });
  } finally {
    weights.close();
    await tensors.close();
  }
}
