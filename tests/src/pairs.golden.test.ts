import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { JsonObject, SampleAnswer } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { type Encoder, openEncoder } from '@nautil/formats/encoder';
import { readNemo } from '@nautil/formats/nemo';
import {
  type EncoderConfig,
  encoderLayout,
  encoderWeights,
  Forward,
  hasOnnxExport,
  hasSegments,
  ModelWeights,
  OnnxForward,
  parseEncoderConfig,
  readWeights,
} from '@nautil/model';
import { goldenSetWith, testIf } from '@nautil/testing';
import { loadTokenizer, padRows } from '@nautil/tokenization';
import { Classifier } from '@nautil/training';
import { openTinyRun } from '@nautil/training/testing';
import { trainRecordedSteps } from '@nautil/training/testing/train-recorded-steps';
import { trainWithInterruptions } from '@nautil/training/testing/train-with-interruptions';
import { runStages } from './testing/run-stages.js';

/** What transformers computed for pairs of texts; see tests/golden/record/pairs.py. */
interface RecordedPairs {
  max_length: number;
  pairs: [first: string, second: string][];
  encoders: Record<string, RecordedEncoder>;
}

interface RecordedEncoder {
  /** Whether the encoder was given the token types. */
  has_segments: boolean;

  /** Each pair alone; `first` is the first token's last hidden state, [H]. */
  rows: { input_ids: number[]; token_type_ids: number[]; first: number[] }[];

  /** The first tokens' hidden states with all pairs padded into one batch. [pairs, H] */
  batched_first: number[][];

  /** As `trainRecordedSteps` describes them. */
  losses?: number[];
}

const golden = goldenSetWith('pairs.json');
const recorded = golden.readJson('pairs.json') as RecordedPairs;
const tolerance = 1e-5;

function largestDifference(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  expect(actual.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  const differences = actual.flatMap((row, at) => Array.from(row, (value, i) => Math.abs(value - expected[at]![i]!)));
  return Math.max(...differences.map((difference) => (Number.isNaN(difference) ? Infinity : difference)));
}

const idsOf = ({ rows }: RecordedEncoder): number[][] => rows.map((row) => row.input_ids);

/** The number of tokens of each pair's first segment. */
const firstLengthsOf = ({ rows }: RecordedEncoder): number[] =>
  rows.map(({ token_type_ids: types }) => (types.includes(1) ? types.indexOf(1) : types.length));

/** The largest differences of the pairs' vectors from the recorded ones: each pair alone, and all in one batch. */
async function differenceOf(
  forward: Pick<Forward, 'run'>,
  truth: RecordedEncoder,
  { padTokenId: padId, maxLength, hiddenSize }: EncoderConfig,
): Promise<number> {
  const firstLengths = firstLengthsOf(truth);
  const vectorsOf = async (rows: number[]): Promise<Float32Array[]> => {
    const ids = rows.map((row) => truth.rows[row]!.input_ids);
    const batch = padRows(ids, { padId, maxLength, firstLengths: rows.map((row) => firstLengths[row]!) });
    const values = await forward.run(batch);
    return rows.map((_, row) => values.subarray(row * hiddenSize, (row + 1) * hiddenSize));
  };
  const all = [...truth.rows.keys()];
  const alone: Float32Array[] = [];
  for (const row of all) alone.push(...(await vectorsOf([row])));
  return Math.max(
    largestDifference(
      alone,
      truth.rows.map(({ first }) => first),
    ),
    largestDifference(await vectorsOf(all), truth.batched_first),
  );
}

async function withEncoder<T>(
  folder: string,
  use: (encoder: EncoderConfig, source: Encoder) => Promise<T>,
): Promise<T> {
  const source = await openEncoder({ path: folder, layout: encoderLayout });
  try {
    return await use(parseEncoderConfig(source.config, folder), source);
  } finally {
    await source.close();
  }
}

const reading =
  ({ tensors }: Encoder) =>
  async (name: string): Promise<Float32Array | undefined> =>
    tensors.names().includes(name) ? tensors.readFloat32(name) : undefined;

test('the recording has encoders with and without segments, and pairs of which the first, the second or both are shortened', () => {
  const encoders = Object.values(recorded.encoders);
  expect(new Set(encoders.map(({ has_segments }) => has_segments))).toEqual(new Set([true, false]));
  const lengths = new Set(encoders.flatMap(({ rows }) => rows.map(({ input_ids }) => input_ids.length)));
  expect(Math.max(...lengths)).toBe(recorded.max_length);
  expect(lengths.size).toBeGreaterThan(5);
});

describe.each(Object.entries(recorded.encoders))('%s', (name, truth) => {
  const folder = golden.path(name);

  test("ids and token types are transformers', also of pairs that are truncated", async () => {
    const tokenizer = await loadTokenizer({ folder });
    for (const [row, [first, second]] of recorded.pairs.entries()) {
      const { ids, typeIds } = tokenizer.encodePair(first, second, recorded.max_length);
      const { input_ids, token_type_ids } = truth.rows[row]!;
      expect({ row, ids, typeIds }).toEqual({ row, ids: input_ids, typeIds: token_type_ids });
    }
  });

  test("the first tokens' vectors are transformers'", () =>
    withEncoder(folder, async (encoder, source) => {
      expect(hasSegments(encoder)).toBe(truth.has_segments);
      const weights = new ModelWeights({ specs: encoderWeights(encoder) });
      try {
        await weights.load(reading(source), name);
        expect(await differenceOf(new Forward(weights, { encoder }), truth, encoder)).toBeLessThan(tolerance);
      } finally {
        weights.close();
      }
    }));

  test('onnxruntime gives the same vectors, where the family has an export', () =>
    withEncoder(folder, async (encoder, source) => {
      if (!hasOnnxExport(encoder)) return;
      const weights = await readWeights(encoderWeights(encoder), reading(source), name);
      const forward = await OnnxForward.open({ encoder, weights, pairs: true });
      try {
        expect(await differenceOf(forward, truth, encoder)).toBeLessThan(tolerance);
      } finally {
        forward.close();
      }
    }));

  testIf(truth.losses !== undefined, 'no training is recorded', "the loss of every step is transformers'", () =>
    withEncoder(folder, async (encoder, source) => {
      const head = await openTensors(join(folder, 'head.safetensors'));
      try {
        const losses = await trainRecordedSteps(
          { encoder, tensors: source.tensors, head },
          {
            rows: idsOf(truth),
            firstLengths: firstLengthsOf(truth),
            steps: truth.losses!.length,
            precision: 'float32',
          },
        );
        expect(largestDifference([losses], [truth.losses!])).toBeLessThan(tolerance);
      } finally {
        await head.close();
      }
    }),
  );
});

/** A file of the recorded pairs, twice, in three classes. */
async function writePairs(folder: string): Promise<string> {
  const path = join(folder, 'pairs.tsv');
  const lines = recorded.pairs.map(([first, second], row) => `${first}\t${second}\t${row % 3}\n`);
  await writeFile(path, [...lines, ...lines].join(''));
  return path;
}

describe('a training on pairs', () => {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  test('that is interrupted ends with the bytes of an undisturbed one, with dropout, on one device and on two', async () => {
    const model = golden.path('encoders/bert');
    const folder = await mkdtemp(join(tmpdir(), 'nautil-pairs-'));
    const tsv = await writePairs(folder);
    const tiny = await openTinyRun({ model, tsv, pairs: true });
    folders.push(folder, tiny.folder);
    const stored = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as JsonObject;
    const config = { ...stored, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 };
    const bytesOf = async (run: string, interruptAt: number[], overrides: string[] = []): Promise<Buffer> => {
      const job = await tiny.job(run, ['trainer.max_epochs=3', ...overrides]);
      const { result } = await trainWithInterruptions({ ...job, encoder: { ...job.encoder, config } }, interruptAt);
      expect(result.step).toBeGreaterThan(4);
      return readFile(result.lastWeights);
    };
    const whole = await bytesOf('whole', []);
    expect((await bytesOf('resumed', [2, 4])).equals(whole)).toBe(true);

    // The same batches, of which each device computes a part.
    const parts = ['trainer.devices=2', 'model.train_ds.batch_size=4'];
    const parallel = await bytesOf('parallel', [], parts);
    expect((await bytesOf('parallel-resumed', [3], parts)).equals(parallel)).toBe(true);
  }, 240_000);

  test('makes an archive that states it, and classifies pairs as the run does, in every engine', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nautil-pairs-'));
    folders.push(folder);
    const samples = recorded.pairs.slice(0, 4).map((pair) => pair.join('\t'));
    const packaged = await runStages({
      encoder: golden.path('encoders/electra-projected'),
      data: await writePairs(folder),
      pairs: true,
      overrides: [
        'model.dataset.num_classes=3',
        'model.train_ds.batch_size=8',
        // Hydra's quotation marks know no escape for a tab.
        `model.infer_samples=${JSON.stringify([...samples, 'a single text']).replaceAll('\\t', '\t')}`,
      ],
    });
    folders.push(packaged.home);
    const archive = await readNemo(packaged.path);
    expect(archive.record).toMatchObject({ pairs: true });
    await archive.close();

    const answers = JSON.parse(readFileSync(packaged.answers!, 'utf8')) as SampleAnswer[];
    expect(answers.map(({ text }) => text)).toEqual(samples);
    const scoresOf = async (options: Parameters<typeof Classifier.open>[1]): Promise<number[]> => {
      const classifier = await Classifier.open(packaged.path, options);
      try {
        expect(classifier.pairs).toBe(true);
        await expect(classifier.predict(['a single text'])).rejects.toThrow(/classifies pairs of texts/);
        const predictions = await classifier.predict(recorded.pairs.slice(0, 4));
        expect(new Set(predictions.map(({ logits }) => String(logits))).size).toBe(4);
        // The order of the texts matters, which the segments state.
        const [first, second] = recorded.pairs[0]!;
        const [swapped] = await classifier.predict([[second, first]]);
        expect(swapped!.logits).not.toEqual(predictions[0]!.logits);
        return predictions.map(({ labelId, scores }) => scores[labelId]!);
      } finally {
        classifier.close();
      }
    };
    const expected = answers.map(({ score }) => score);
    expect(largestDifference([await scoresOf({})], [expected])).toBeLessThan(1e-6);
    expect(largestDifference([await scoresOf({ engine: 'onnxruntime' })], [expected])).toBeLessThan(1e-5);
    const int8 = { engine: 'onnxruntime', precision: 'int8' } as const;
    expect(largestDifference([await scoresOf(int8)], [expected])).toBeLessThan(0.05);
  }, 120_000);
});
