import { readFile, rm } from 'node:fs/promises';
import { afterAll, expect, test } from '@jest/globals';
import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { type NemoArchive, verifyNemo } from '@nautil/formats/nemo';
import { withArchive } from '@nautil/formats/testing/with-archive';
import { encoderLayout } from '@nautil/model';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { archiveTokenizer } from '@nautil/training';
import { type PackagedRun, runStages } from './testing/run-stages.js';

// Compares the archive of a whole run with one that NeMo wrote for a model of the same kind.
const kinds = [
  { kind: 'BERT', encoder: 'bert-tiny-uncased', archive: 'tiny_bert.nemo' },
  {
    kind: 'cased BERT, weighted loss and labels',
    encoder: 'bert-tiny-cased',
    archive: 'tiny_bert_weighted_3layer.nemo',
  },
  { kind: 'RoBERTa', encoder: 'roberta-tiny', archive: 'tiny_roberta.nemo' },
  { kind: 'DistilBERT', encoder: 'distilbert-tiny', archive: 'tiny_distilbert.nemo' },
];

const homes: string[] = [];
afterAll(async () => {
  for (const home of homes) await rm(home, { recursive: true, force: true });
});

/** Runs all stages of a run on a golden encoder and golden's training sentences. */
async function trainAndPackage(encoder: string, overrides: string[]): Promise<PackagedRun> {
  const packaged = await runStages({
    encoder: goldenPath(encoder),
    data: goldenPath('nemo/traj_train.tsv'),
    overrides: ['model.train_ds.batch_size=8', ...overrides],
  });
  homes.push(packaged.home);
  return packaged;
}

function keysOf(tree: JsonValue, prefix = ''): string[] {
  if (!isJsonObject(tree)) return [prefix];
  return Object.entries(tree).flatMap(([key, value]) => keysOf(value, `${prefix}.${key}`));
}

const withoutHash = (member: string) => member.replace(/^[0-9a-f]{32}_/, '');

/** The parts of an archive that must match NeMo's. Values are left out, because the runs differ. */
async function layoutOf(archive: NemoArchive) {
  const { tensors } = archive;
  return {
    members: archive.members
      .map(({ name }) => withoutHash(name))
      .filter((name) => name !== 'nautil.json')
      .sort(),
    keys: keysOf(archive.config).sort(),
    tensors: Object.fromEntries(
      tensors
        .names()
        .filter((name) => name !== 'loss.weight')
        .map((name) => [name, tensors.info(name)]),
    ),
    vocabulary: JSON.parse(Buffer.from((await archive.artifact('tokenizer_vocab_dict')) ?? []).toString()) as unknown,
    vocabularyFile: vocabularyIn(Buffer.from((await archive.artifact('tokenizer.vocab_file')) ?? []).toString()),
    labels: Buffer.from((await archive.artifact('class_labels.class_labels_file')) ?? []).toString(),
  };
}

/** The content of a vocabulary file. JSON is parsed, because NeMo rewrites RoBERTa's with different white space. */
const vocabularyIn = (text: string): unknown => (text.startsWith('{') ? JSON.parse(text) : text);

/** Overrides for a run with the same settings as the archive. */
function overridesFor(config: JsonObject): string[] {
  const value = (section: string, key: string) => {
    const found = (config[section] as JsonObject)[key];
    return typeof found === 'string' ? found : JSON.stringify(found);
  };
  const labels = (config['class_labels'] as JsonObject)['class_labels_file'];
  return [
    `model.classifier_head.num_output_layers=${value('classifier_head', 'num_output_layers')}`,
    `model.dataset.class_balancing=${value('dataset', 'class_balancing')}`,
    `model.dataset.num_classes=${value('dataset', 'num_classes')}`,
    `model.dataset.max_seq_length=${value('dataset', 'max_seq_length')}`,
    ...(labels === null ? [] : [`model.class_labels.class_labels_file=${goldenPath('nemo/label_ids.tsv')}`]),
  ];
}

test.each(kinds)(
  'a run on $kind packages the members, keys, tensors and vocabulary of NeMo’s own archive',
  async ({ encoder, archive }) => {
    await withArchive(goldenPath('nemo', archive), async (truth) => {
      const packaged = await trainAndPackage(encoder, overridesFor(truth.config));
      await withArchive(packaged.path, async (ours) => {
        expect(await layoutOf(ours)).toEqual(await layoutOf(truth));
        expect(ours.tensors.names()).not.toContain('loss.weight');
        expect((await ours.encoderConfig()).notes).toEqual([]);
      });
      const { checks } = await verifyNemo(packaged.path, {
        layout: encoderLayout,
        tokenizer: archiveTokenizer,
      });
      expect(checks.flatMap(({ problems }) => problems)).toEqual([]);
    });
  },
  120_000,
);

test('equal runs write equal bytes, which contain no path, id or time', async () => {
  const runs = [
    await trainAndPackage(kinds[0]!.encoder, ['nautil.seed=7', 'model.dataset.max_seq_length=16']),
    await trainAndPackage(kinds[0]!.encoder, ['nautil.seed=7', 'model.dataset.max_seq_length=16']),
  ];
  expect(runs[0]!.home).not.toBe(runs[1]!.home);
  expect(runs[1]!.sha256).toBe(runs[0]!.sha256);
  const bytes = await readFile(runs[0]!.path, 'latin1');
  for (const { home, workflowId } of runs)
    for (const foreign of [home, workflowId, goldenPath(), packageRoot()]) expect(bytes).not.toContain(foreign);
}, 120_000);
