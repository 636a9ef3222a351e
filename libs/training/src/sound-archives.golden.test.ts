import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { NautilError, valueAt, withValueAt } from '@nautil/contracts';
import { verifyNemo, type writeNemo } from '@nautil/formats/nemo';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { encoderLayout } from '@nautil/model';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import { Classifier } from './classifier.js';
import { archiveTokenizer } from './classifier-source.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-sound-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Content = Parameters<typeof writeNemo>[0];
type Tensor = Content['tensors'] extends Iterable<infer T> ? T : never;

/** Writes NeMo's archive as Nautil does, with one part changed, and returns its path. */
async function rewritten(change: (content: Content) => Partial<Content>): Promise<string> {
  const path = join(folder, 'changed.nemo');
  await copyArchive(goldenPath('nemo', 'tiny_bert.nemo'), path, change);
  return path;
}

/** What `nautil predict` and `nautil verify` make of an archive. */
async function opinionsOn(path: string): Promise<{ predicts: boolean; sound: boolean; problems: string }> {
  const { sound, checks } = await verifyNemo(path, { layout: encoderLayout, tokenizer: archiveTokenizer });
  const problems = checks.flatMap((check) => check.problems).join('\n');
  const predicts = await canPredict(path, 'onnxruntime');
  expect(await canPredict(path, 'tensorflow')).toBe(predicts);
  return { predicts, sound, problems };
}

async function canPredict(path: string, engine: 'onnxruntime' | 'tensorflow'): Promise<boolean> {
  try {
    const classifier = await Classifier.open(path, { engine });
    await classifier.predict(['a good film']);
    classifier.close();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(NautilError);
    return false;
  }
}

const plus =
  (...more: Tensor[]) =>
  (content: Content) => ({ tensors: [...content.tensors, ...more] });
const values = (name: string, ...numbers: number[]): Tensor => {
  return { name, dtype: 'F32', shape: [numbers.length], data: Float32Array.from(numbers) };
};
const set = (key: string, value: unknown) => (content: Content) => ({
  config: withValueAt(content.config, key, value as string),
});
const without = (name: string) => (content: Content) => ({
  tensors: [...content.tensors].filter((tensor) => tensor.name !== name),
});
const labels =
  (...names: string[]) =>
  (content: Content) => ({
    artifacts: [
      ...content.artifacts,
      { key: 'class_labels.class_labels_file', name: 'labels.tsv', content: Buffer.from(names.join('\n')) },
    ],
  });
const { rows } = readGoldenJson('nemo/tiny_bert.nemo.expected.json') as { rows: { logits: number[] }[] };
const numClasses = rows[0]!.logits.length;

test.each<[string, RegExp | undefined, (content: Content) => Partial<Content>]>([
  ['unchanged', undefined, () => ({})],
  ['with the metrics of NeMo', undefined, plus(values('classification_report.tp', 1, 2), values('mystery', 0))],
  ['with names of all classes', undefined, labels(...Array.from({ length: numClasses }, (_, id) => `class ${id}`))],
  ['with a metric that is NaN', /tp contains NaN at index 0/, plus(values('classification_report.tp', NaN))],
  [
    'with a weight of an encoder that is larger',
    /layer\.99\S* is not part of the configured encoder/,
    plus(values('bert_model.encoder.layer.99.output.dense.bias', 1)),
  ],
  [
    'with a weight of a head that is larger',
    /layer99\.bias is not part of the configured head/,
    plus(values('classifier.mlp.layer99.bias', 1)),
  ],
  [
    'with class weights for another number of classes',
    /loss\.weight has shape \[1\]/,
    (content) => ({ ...plus(values('loss.weight', 1))(content), keepLossWeight: true }),
  ],
  ['without a weight of the encoder', /LayerNorm\.bias is missing/, without('bert_model.embeddings.LayerNorm.bias')],
  ['without a weight of the head', /layer0\.bias is missing/, without('classifier.mlp.layer0.bias')],
  ['with too few names', /1 name for \d+ classes/, labels('only one')],
  [
    'with one name for all classes',
    /two classes have the same name/,
    labels(...Array.from({ length: numClasses }, () => 'same')),
  ],
  ['with another number of classes', /but the configuration requires/, set('dataset.num_classes', numClasses + 1)],
  [
    'with another number of layers in the head',
    /layer0\.weight has shape|layer2\S* is not part/,
    set('classifier_head.num_output_layers', 1),
  ],
  [
    'with a file that is missing',
    /0_bpe\.model, which is not in the archive/,
    set('tokenizer.tokenizer_model', 'nemo:0_bpe.model'),
  ],
  [
    'with a token id beyond the embeddings',
    /1 id of tokens beyond/,
    () => ({ vocabulary: new Map([['far', 10_000_000]]) }),
  ],
  [
    'without a vocabulary',
    /there is no vocabulary/,
    ({ config }) => ({ artifacts: [], config: withValueAt(config, 'tokenizer.vocab_file', null) }),
  ],
  [
    'with a vocabulary without special tokens',
    /\[UNK\]|\[CLS\]|special/,
    () => ({ artifacts: [{ key: 'tokenizer.vocab_file', name: 'vocab.txt', content: Buffer.from('good\nfilm\n') }] }),
  ],
  ['with a record that is none', /nautil\.json/, () => ({ record: { version: 2 } })],
  [
    'of an encoder of another kind',
    /gpt2/,
    (content) => ({ encoderConfig: { ...content.encoderConfig, model_type: 'gpt2' } }),
  ],
])('predict accepts an archive exactly if verify calls it sound: %s', async (_, problem, change) => {
  const { predicts, sound, problems } = await opinionsOn(await rewritten(change));
  expect(problems).toMatch(problem ?? /^$/);
  expect({ predicts, sound }).toEqual({ predicts: problem === undefined, sound: problem === undefined });
});

test('predict accepts an archive exactly if verify calls it sound: with a changed byte in the record', async () => {
  const whole = await rewritten((content) => ({
    record: { version: 1, labels: ['a', 'b'], metrics: valueAt(content.config, 'optim') ?? null },
  }));
  const bytes = readFileSync(whole);
  const at = bytes.lastIndexOf('"metrics"');
  bytes[at + 2]! ^= 0x04;
  const path = join(folder, 'flipped.nemo');
  writeFileSync(path, bytes);
  expect(await opinionsOn(path)).toMatchObject({ predicts: false, sound: false });
});
