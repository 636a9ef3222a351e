import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CorruptFile, writeSafetensors } from '@nautil/formats';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import { Classifier } from './classifier.js';

interface Expected {
  rows: { text: string; input_ids: number[]; logits: number[]; pred: number }[];
  batched_logits: number[][];
}

const archives = readdirSync(goldenPath('nemo')).filter((name) => name.endsWith('.nemo'));

function expectClose(actual: readonly Float32Array[], expected: readonly number[][]): void {
  expect(actual.length).toBe(expected.length);
  for (const [row, logits] of expected.entries())
    for (const [i, logit] of logits.entries()) expect(Math.abs(actual[row]![i]! - logit)).toBeLessThan(1e-4);
}

test('the golden set has archives of BERT, RoBERTa and DistilBERT', () => {
  for (const kind of ['bert', 'roberta', 'distilbert'])
    expect(archives.some((name) => name.includes(`_${kind}`))).toBe(true);
});

const engines = ['onnxruntime', 'tensorflow'] as const;
const inBothEngines = archives.flatMap((name) => engines.map((engine) => [name, engine] as const));

describe.each(inBothEngines)('%s, written by NeMo, in %s', (name, engine) => {
  const { rows, batched_logits } = readGoldenJson(`nemo/${name}.expected.json`) as Expected;
  let classifier: Classifier;
  beforeAll(async () => (classifier = await Classifier.open(goldenPath('nemo', name), { engine })));
  afterAll(() => classifier.close());

  test('gives NeMo’s logits for NeMo’s token ids', async () => {
    for (const { input_ids, logits } of rows) {
      const [actual] = await classifier.logits([input_ids]);
      logits.forEach((logit, i) => expect(Math.abs(actual![i]! - logit)).toBeLessThan(1e-4));
    }
  });

  test('tokenises texts as NeMo does, and predicts NeMo’s labels', async () => {
    const predictions = await classifier.predict(rows.map(({ text }) => text));
    rows.forEach(({ text, input_ids }) =>
      expect(classifier.tokenizer.encode(text, classifier.maxTokens)).toEqual(input_ids),
    );
    expect(predictions.map(({ labelId }) => labelId)).toEqual(rows.map(({ pred }) => pred));
  });

  test('gives NeMo’s logits for all texts as one batch with NeMo’s padding', async () => {
    const batching = { nemoPadding: true, batchSize: rows.length };
    const padded = await Classifier.open(goldenPath('nemo', name), { engine, ...batching });
    expectClose(await padded.logits(rows.map(({ input_ids }) => input_ids)), batched_logits);
    padded.close();
  });

  test('gives each text the same answer in a batch as alone', async () => {
    const together = await classifier.predict(rows.map(({ text }) => text));
    for (const [index, { text }] of rows.entries()) {
      const [alone] = await classifier.predict([text]);
      together[index]!.logits.forEach((logit, i) => expect(Math.abs(alone!.logits[i]! - logit)).toBeLessThan(1e-4));
    }
  });
});

// Not of the larger golden set: its only batch is a multiple of 8 long.
const recorded = (name: string) => fileURLToPath(new URL(`../../../tests/golden/nemo/${name}`, import.meta.url));

test.each(engines)(
  'with NeMo’s padding, a batch whose longest text is no multiple of 8 gives NeMo’s logits: %s',
  async (engine) => {
    const { archive, batches } = JSON.parse(readFileSync(recorded('padded_batches.json'), 'utf8')) as {
      archive: string;
      batches: { input_ids: number[][]; logits: number[][] }[];
    };
    expect(batches.length).toBeGreaterThan(0);
    const classifier = await Classifier.open(recorded(archive), { engine, nemoPadding: true });
    for (const { input_ids, logits } of batches) {
      expect(Math.max(...input_ids.map(({ length }) => length)) % 8).not.toBe(0);
      expectClose(await classifier.logits(input_ids), logits);
    }
    classifier.close();
  },
);

test('NeMo’s padding with a padding token other than 0 and 1 is not computed in onnxruntime, whose masks are binary', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'nautil-padding-')), 'moved.nemo');
  await copyArchive(goldenPath('nemo', 'tiny_bert.nemo'), path, ({ vocabulary }) => {
    const tokens = [...(vocabulary ?? [])].map(([token]) => token);
    const padId = tokens.indexOf('[PAD]');
    [tokens[padId], tokens[2]] = [tokens[2]!, '[PAD]']; // ids above 2 give NaN, in NeMo, too
    const content = Buffer.from(`${tokens.join('\n')}\n`);
    return {
      artifacts: [{ key: 'tokenizer.vocab_file', name: 'vocab.txt', content }],
      vocabulary: new Map(tokens.map((token, id) => [token, id])),
    };
  });
  const texts = ['a', 'a good film that is longer than the other text'];
  const tensorflow = await Classifier.open(path, { engine: 'tensorflow', nemoPadding: true });
  const auto = await Classifier.open(path, { engine: 'auto', nemoPadding: true });
  expect(auto.tokenizer.padId).toBe(2);
  expect(await auto.predict(texts)).toEqual(await tensorflow.predict(texts));
  await expect(Classifier.open(path, { engine: 'onnxruntime', nemoPadding: true })).rejects.toMatchObject({
    name: 'UsageError',
    hint: expect.stringContaining('--engine tensorflow'),
  });
  for (const classifier of [tensorflow, auto]) classifier.close();
  rmSync(dirname(path), { recursive: true });
});

test('the gzip form of up to NeMo 1.6 gives the recorded logits', async () => {
  const { batch, 'adam_wd0.01': trained } = readGoldenJson('nemo-files/tiny_golden.json') as {
    batch: { input_ids: number[][]; attention_mask: number[][] };
    'adam_wd0.01': { final_logits: number[][] };
  };
  const classifier = await Classifier.open(goldenPath('nemo-files/sample_tiny_gz.nemo'));
  const rows = batch.input_ids.map((ids, row) => ids.filter((_, at) => batch.attention_mask[row]![at] === 1));
  const logits = await classifier.logits(rows);
  trained.final_logits.forEach((row, i) =>
    row.forEach((logit, j) => expect(Math.abs(logits[i]![j]! - logit)).toBeLessThan(1e-4)),
  );
  classifier.close();
});

test('a checkpoint in the folder of a run with damaged settings is an error, and is not left open', async () => {
  const run = mkdtempSync(join(tmpdir(), 'nautil-damaged-'));
  mkdirSync(join(run, 'checkpoints'));
  const path = join(run, 'checkpoints', 'a-last.ckpt');
  await writeSafetensors(path, [{ name: 'weight', dtype: 'F32', shape: [1], data: Float32Array.of(1) }]);
  const cfg = { language_model: { pretrained_model_name: goldenPath('bert-tiny-uncased') } };
  writeFileSync(join(run, 'hparams.yaml'), JSON.stringify({ cfg, nautil: { evaluation: 'damaged' } }));
  await expect(Classifier.open(path)).rejects.toThrow(CorruptFile);
  expect(openFiles()).not.toContain(path);
  rmSync(run, { recursive: true });
});

const openFiles = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the folder itself, which is closed again
    }
  });
