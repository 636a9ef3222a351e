import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import { Classifier } from './classifier.js';

interface Expected {
  rows: { text: string; input_ids: number[]; logits: number[]; pred: number }[];
}

const archives = readdirSync(goldenPath('nemo')).filter((name) => name.endsWith('.nemo'));

test('the golden set has archives of BERT, RoBERTa and DistilBERT', () => {
  for (const kind of ['bert', 'roberta', 'distilbert'])
    expect(archives.some((name) => name.includes(`_${kind}`))).toBe(true);
});

describe.each(archives)('%s, written by NeMo', (name) => {
  const { rows } = readGoldenJson(`nemo/${name}.expected.json`) as Expected;
  let classifier: Classifier;
  beforeAll(async () => (classifier = await Classifier.open(goldenPath('nemo', name))));
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

  test('gives each text the same answer in a batch as alone', async () => {
    const together = await classifier.predict(rows.map(({ text }) => text));
    for (const [index, { text }] of rows.entries()) {
      const [alone] = await classifier.predict([text]);
      together[index]!.logits.forEach((logit, i) => expect(Math.abs(alone!.logits[i]! - logit)).toBeLessThan(1e-4));
    }
  });
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
