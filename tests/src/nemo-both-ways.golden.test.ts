import { copyFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { OutputRoots } from '@nautil/activities';
import { createActivities } from '@nautil/activities/worker';
import { isJsonObject, type JsonObject, type JsonValue, type RunActivities } from '@nautil/contracts';
import { type NemoArchive, verifyNemo } from '@nautil/formats/nemo';
import { withArchive } from '@nautil/formats/testing/with-archive';
import { encoderLayout } from '@nautil/model';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { archiveTokenizer } from '@nautil/training';
import { programEnvironment } from './testing/program-environment.js';

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

interface Packaged {
  path: string;
  sha256: string;

  /** State folder of the run. */
  home: string;
  workflowId: string;
}

/** Runs all stages of a run in its own state folder, as a worker does. */
async function trainAndPackage(encoder: string, overrides: string[]): Promise<Packaged> {
  const home = await mkdtemp(join(tmpdir(), 'nautil-both-ways-'));
  homes.push(home);
  Object.assign(process.env, programEnvironment(home));
  const workflowId = `run-${homes.length}`;
  const runKey = `key-${homes.length}`;
  // Nothing listens on this port; runs continue without a server.
  const activities = createActivities({
    trackingUri: 'http://127.0.0.1:9',
    signalProgress: () => Promise.resolve(),
    stateFolderId: 'here',
    isPolled: () => Promise.resolve(true),
    trainings: 1,
    trainsHere: true,
    group: {
      reserveAddress: () => Promise.reject(new Error('no group here')),
      signalPlaced: () => Promise.resolve(),
      queryPlacement: () => Promise.resolve({}),
    },
    allowedEnv: [],
    outputs: OutputRoots.ofWorker(),
  });
  const call = <Name extends keyof RunActivities>(name: Name, input: Parameters<RunActivities[Name]>[0]) =>
    new MockActivityEnvironment().run(
      activities[name] as (of: Parameters<RunActivities[Name]>[0]) => ReturnType<RunActivities[Name]>,
      input,
    ) as ReturnType<RunActivities[Name]>;
  // Each run has its inputs in its own folder, because the archive must not depend on their paths.
  const data = join(home, 'train.tsv');
  await copyFile(goldenPath('nemo/traj_train.tsv'), data);
  await cp(goldenPath(encoder), join(home, encoder), { recursive: true });
  const run = await call('resolveRun', {
    workflowId,
    runKey,
    taskQueue: 'nautil',
    overrides: [
      `model.language_model.pretrained_model_name=${join(home, encoder)}`,
      ...['train_ds', 'validation_ds', 'test_ds'].map((set) => `model.${set}.file_path=${data}`),
      `model.nemo_path=${join(home, 'model.nemo')}`,
      `exp_manager.exp_dir=${join(home, 'nemo_experiments')}`,
      'trainer.max_epochs=1',
      'trainer.limit_train_batches=2',
      'trainer.limit_val_batches=1',
      'trainer.limit_test_batches=1',
      'model.train_ds.batch_size=8',
      ...overrides,
    ],
  });
  const source = await call('download', { run });
  const converted = await call('convert', { run, source });
  const inputs = await call('cache', { run, source, data: converted });
  const tokens = await call('tokenize', { run, inputs });
  const model = await call('train', { run, inputs, tokens, stopEarly: false });
  const evaluated = await call('evaluate', { run, inputs, tokens, model });
  const { nemo } = await call('package', { run, inputs, tokens, evaluated });
  return { ...nemo, home, workflowId };
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
