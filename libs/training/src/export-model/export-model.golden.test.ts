import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { withArchive } from '@nautil/formats/testing/with-archive';
import { OnnxSession } from '@nautil/onnx';
import { sha256Of } from '@nautil/store';
import { goldenPath, readGoldenJson } from '@nautil/testing';
import { loadTokenizer } from '@nautil/tokenization';
import { Classifier } from '../classifier.js';
import { exportModel, type ExportOptions } from './export-model.js';

interface Expected {
  rows: { text: string; input_ids: number[]; logits: number[] }[];
}

const folder = mkdtempSync(join(tmpdir(), 'nautil-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const archives = readdirSync(goldenPath('nemo')).filter((name) => name.endsWith('.nemo'));
const archiveOf = (kind: string) => goldenPath('nemo', `tiny_${kind}.nemo`);
const expectedOf = (kind: string) => readGoldenJson(`nemo/tiny_${kind}.nemo.expected.json`) as Expected;

let count = 0;
const newPath = () => join(folder, `output-${++count}`);

/** Exports a model to a new path, which it returns. */
async function exported(model: string, format: ExportOptions['format'], o: Partial<ExportOptions> = {}) {
  const output = newPath();
  await exportModel({ model, format, output, force: false, ...o });
  return output;
}

const digestOf = (path: string): string => sha256Of(readFileSync(path));

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8')) as JsonObject;

test.each(['bert', 'distilbert'])('hf writes the tokenizer, the labels and every weight of %s', async (kind) => {
  const output = await exported(archiveOf(kind), 'hf');
  const { rows } = expectedOf(kind);
  const files = ['README.md', 'config.json', 'model.safetensors', 'onnx', 'tokenizer.json', 'tokenizer_config.json'];
  expect(readdirSync(output).sort()).toEqual(files);
  const config = readJson(output, 'config.json');
  const ids = rows[0]!.logits.map((_, id) => id);
  expect(config).toMatchObject({
    architectures: ['DistilBertForSequenceClassification'],
    id2label: Object.fromEntries(ids.map((id) => [id, `LABEL_${id}`])),
    label2id: Object.fromEntries(ids.map((id) => [`LABEL_${id}`, id])),
  });
  const tokenizer = await loadTokenizer({ folder: output });
  const { model_max_length: maxTokens, model_input_names: inputs } = readJson(output, 'tokenizer_config.json');
  expect(inputs).toEqual(['input_ids', 'attention_mask']);
  for (const { text, input_ids } of rows) expect(tokenizer.encode(text, maxTokens as number)).toEqual(input_ids);
  expect(tokenizer.encodePair('a', 'b').typeIds.at(-1)).toBe(1);
  const tensors = await openTensors(join(output, 'model.safetensors'));
  expect(tensors.metadata).toEqual({ format: 'pt' });
  expect(tensors.info('pre_classifier.weight').shape).toEqual([config['dim'], config['dim']]);
  expect(tensors.info('classifier.weight').shape).toEqual([ids.length, config['dim']]);
  await tensors.close();
});

test('hf names the labels, and its card has them as Markdown shows them', async () => {
  const model = newPath() + '.nemo';
  const names = expectedOf('bert').rows[0]!.logits.map((_, id) => (id === 0 ? 'a|b *c*' : `class ${id}`));
  await copyArchive(archiveOf('bert'), model, ({ artifacts }) => ({
    artifacts: [
      ...artifacts,
      { key: 'class_labels.class_labels_file', name: 'labels.tsv', content: Buffer.from(names.join('\n')) },
    ],
  }));
  const output = await exported(model, 'hf');
  expect(Object.values(readJson(output, 'config.json')['id2label'] as JsonObject)).toEqual(names);
  expect(readFileSync(join(output, 'README.md'), 'utf8')).toContain('| 0 | a\\|b \\*c\\* |');
});

test.each(archives)('onnx gives NeMo’s logits for %s, in a graph without a size of its own', async (name) => {
  const proto = readFileSync(await exported(goldenPath('nemo', name), 'onnx'));
  const session = await OnnxSession.create({ proto, weights: [] });
  for (const { input_ids, logits } of (readGoldenJson(`nemo/${name}.expected.json`) as Expected).rows) {
    const shape = [1, input_ids.length];
    const int64 = (numberOf: (id: number) => number) => ({
      shape,
      data: BigInt64Array.from(input_ids, (id) => BigInt(numberOf(id))),
    });
    const feeds = { input_ids: int64((id) => id), attention_mask: int64(() => 1), token_type_ids: int64(() => 0) };
    const actual = await session.run(feeds, [1, logits.length]);
    logits.forEach((logit, id) => expect(Math.abs(actual[id]! - logit)).toBeLessThan(1e-4));
  }
  session.close();
});

test.each(archives)('safetensors has the weights of %s under their own names, bit for bit', async (name) => {
  const output = await exported(goldenPath('nemo', name), 'safetensors');
  const tensors = await openTensors(output);
  await withArchive(goldenPath('nemo', name), async (archive) => {
    const names = archive.tensors.names().filter((one) => /^(bert_model|classifier)\./.test(one));
    expect(tensors.names().sort()).toEqual(names.sort());
    for (const one of names) expect(sha256Of(await tensors.read(one))).toBe(sha256Of(await archive.tensors.read(one)));
  });
  await tensors.close();
});

test.each([...archives.map((name) => `nemo/${name}`), 'nemo-files/sample_tiny_gz.nemo'])(
  'nemo writes an archive that gives the same logits, uncompressed and without weights of the loss: %s',
  async (name) => {
    const model = goldenPath(name);
    const output = await exported(model, 'nemo');
    await withArchive(output, (archive) => {
      expect(archive.compressed).toBe(false);
      expect(archive.artifactNames).toContain('language_model.config_file');
      expect(archive.tensors.names()).not.toContain('loss.weight');
      return Promise.resolve();
    });
    const rows = [[2, 5, 9, 3]];
    const logits = await Promise.all(
      [model, output].map(async (path) => {
        const classifier = await Classifier.open(path, { engine: 'onnxruntime' });
        const [values] = await classifier.logits(rows);
        classifier.close();
        return values;
      }),
    );
    expect(logits[1]).toEqual(logits[0]);
    expect(digestOf(await exported(output, 'nemo'))).toBe(digestOf(output));
  },
);

test('the record of an archive stays valid when it is written anew', async () => {
  const model = newPath() + '.nemo';
  const record = { version: 1, lineage: {}, labels: expectedOf('bert').rows[0]!.logits.map((_, id) => `class ${id}`) };
  const { definition } = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased') });
  await copyArchive(archiveOf('bert'), model, () => ({
    record: { ...record, tokenizer: definition } as unknown as JsonObject,
  }));
  expect(digestOf(await exported(model, 'nemo'))).toBe(digestOf(model));
});

test.each<[string, (given: ExportOptions) => Partial<ExportOptions>, RegExp]>([
  [
    'int8 without onnxruntime’s tools',
    () => ({ format: 'onnx', int8: { python: '/bin/false' } }),
    /\/bin\/false cannot write int8/,
  ],
  [
    'int8 with a program that writes nothing',
    () => ({ format: 'onnx', int8: { python: '/bin/true' } }),
    /\/bin\/true wrote no model/,
  ],
  ['a head that no class has', () => ({ model: archiveOf('bert_weighted_3layer') }), /and this head has 3/],
  ['an encoder that no class has', () => ({ model: archiveOf('roberta') }), /RobertaForSequenceClassification applies/],
  ['a checkpoint as an archive', () => ({ model: 'a.ckpt', format: 'nemo' }), /a\.ckpt is a checkpoint, which lacks/],
  ['a file in place of the folder', ({ model }) => ({ output: model }), /is not a folder/],
  ['the model itself', ({ model }) => ({ format: 'nemo', output: model, force: true }), /which the command reads/],
  [
    'a file that exists',
    ({ output }) => {
      mkdirSync(output);
      writeFileSync(join(output, 'README.md'), 'mine');
      return {};
    },
    /README\.md exists/,
  ],
])('what cannot be written is refused before anything is: %s', async (_, change, message) => {
  const given: ExportOptions = { model: archiveOf('bert'), format: 'hf', output: newPath(), force: false };
  const before = digestOf(given.model);
  const options = { ...given, ...change(given) };
  await expect(exportModel(options)).rejects.toThrow(message);
  expect(digestOf(given.model)).toBe(before);
  const left = readdirSync(folder).includes(options.output.slice(folder.length + 1)) ? readdirSync(given.output) : [];
  expect(left.filter((name) => name !== 'README.md')).toEqual([]);
});

test('a folder that an export has replaced in part has no config.json, and is no model', async () => {
  const output = await exported(archiveOf('bert'), 'hf');
  rmSync(join(output, 'onnx'), { recursive: true });
  symlinkSync('nowhere', join(output, 'onnx'));
  await expect(exportModel({ model: archiveOf('bert'), format: 'hf', output, force: true })).rejects.toThrow();
  expect(readdirSync(output)).not.toContain('config.json');
  expect(readdirSync(output)).toContain('model.safetensors');
});

test('an archive with a weight that is not finite is not exported', async () => {
  const model = join(folder, 'a.nemo');
  await copyArchive(archiveOf('bert'), model, ({ tensors }) => ({
    tensors: [...tensors].map((tensor) =>
      tensor.name === 'classifier.mlp.layer0.bias'
        ? { ...tensor, data: new Float32Array(tensor.shape[0]!).fill(NaN) }
        : tensor,
    ),
  }));
  const output = newPath();
  await expect(exportModel({ model, format: 'hf', output, force: false })).rejects.toThrow(
    /a\.nemo: the model is not sound: .*contains NaN/,
  );
  expect(readdirSync(folder)).not.toContain(output.slice(folder.length + 1));
});
