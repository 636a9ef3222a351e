import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { finishTracking } from '@nautil/activities';
import type { Finding } from '@nautil/contracts';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// Trains a tiny encoder that learns the task in seconds, and then with settings and data from which nobody could learn it.

const root = mkdtempSync(join(tmpdir(), 'nautil-findings-'));
const trainers = new Trainers(programEnvironment(join(root, 'home')));
const nowhere = 'http://127.0.0.1:9'; // the discard port, where nothing listens

const praise = ['good', 'fine', 'great', 'best'];
const blame = ['bad', 'poor', 'long', 'worst'];
const lines = (count: number, textOf: (number: number, label: number) => string): string =>
  Array.from({ length: count }, (_, i) => `${textOf(i, i % 2)}\t${i % 2}\n`).join('');
const review = (number: number, label: number): string =>
  [0, 1, 2].map((i) => (label === 1 ? praise : blame)[(number >> (2 * i)) % 4]).join(' ');

beforeAll(() => {
  Object.assign(process.env, programEnvironment(join(root, 'home')));
  writeFileSync(join(root, 'train.tsv'), lines(128, review));
  writeFileSync(join(root, 'dev.tsv'), lines(32, review));
  writeFileSync(
    join(root, 'chinese.tsv'),
    lines(128, (i, label) => `${label === 1 ? '喜欢' : '讨厌'}这部电影${i}`),
  );
  writeFileSync(join(root, 'one-class.tsv'), lines(32, review).replaceAll('\t0', '\t1'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const base = [
  'trainer.accelerator=cpu',
  'trainer.max_epochs=16',
  `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
  'model.train_ds.file_path=train.tsv',
  'model.validation_ds.file_path=dev.tsv',
  'model.train_ds.batch_size=8',
  'model.dataset.max_seq_length=32',
  'model.optim.lr=2e-3',
  'model.nemo_path=null',
];

const open = (runKey: string, overrides: string[]): Promise<StagedRun> =>
  StagedRun.open({
    home: join(root, 'home'),
    cwd: root,
    runKey,
    overrides: [...base, ...overrides],
    trainer: (o) => trainers.run(o),
  });

/** Runs all stages, and returns what the run finds, with the tags that MLflow gets. */
async function run(
  runKey: string,
  overrides: string[],
): Promise<{ findings: Finding[]; tags: Record<string, string> }> {
  const staged = await open(runKey, overrides);
  const { evaluated, packaged } = await staged.run();
  await finishTracking({ run: staged.resolved, status: 'FINISHED', evaluated, packaged }, nowhere);
  const journal = readFileSync(join(staged.resolved.folder, 'mlflow.jsonl'), 'utf8').trim().split('\n');
  const tags = journal.map((line) => (JSON.parse(line) as { tags?: Record<string, string> }).tags);
  return { findings: evaluated.findings ?? [], tags: Object.assign({}, ...tags) as Record<string, string> };
}

test('a model that has learned has no findings', async () => {
  const { findings, tags } = await run('good', []);
  expect(findings).toEqual([]);
  expect(tags['nautil.findings']).toBe('none');
  expect(tags['mlflow.note.content']).toMatch(
    /^\*\*val accuracy [01]\.\d+, macro F1 [01]\.\d+, on 32 examples\*\* \(the packaged weights are those of the last step, after step 256\)\n/,
  );
}, 120_000);

test.each([
  ['a learning rate of 0', ['model.optim.lr=0'], ['chance-loss']],
  ['a learning rate of 1e-9', ['model.optim.lr=1e-9'], ['chance-loss']],
  ['a length of 4 tokens', ['model.dataset.max_seq_length=4'], ['truncated-texts']],
  ['a vocabulary without the characters', ['model.train_ds.file_path=chinese.tsv'], ['unknown-tokens']],
  ['a class that is not validated', ['model.validation_ds.file_path=one-class.tsv'], ['no-evaluation-examples']],
  ['a class that is not trained', ['model.dataset.num_classes=3'], ['no-training-examples']],
])(
  '%s is reported, with a setting that the configuration accepts, to MLflow, too',
  async (what, overrides, expected) => {
    const { findings, tags } = await run(what, ['trainer.max_epochs=2', ...overrides]);
    expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining(expected));
    const codes = tags['nautil.findings']!.split(', ');
    expect(codes).toEqual(findings.map(({ code }) => code));
    const description = tags['mlflow.note.content']!;
    for (const { sentence, remedy } of findings) {
      expect(description).toContain(`- ${sentence}: try ${remedy}`);
      const remedied = remedy.replace('FILE', 'dev.tsv').split(' ');
      const again = await open(`${what} ${remedy}`, [...overrides, ...remedied]);
      await again.cache();
    }
  },
  120_000,
);
