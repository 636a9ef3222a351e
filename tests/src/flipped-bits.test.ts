import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type {
  CachedInputs,
  Evaluated,
  LabelledData,
  Packaged,
  Source,
  Stage,
  StageResult,
  TokenizedData,
  TrainedModel,
} from '@nautil/contracts';
import { FileDamaged, sha256File } from '@nautil/store';
import { goldenPath } from '@nautil/testing';
import { Trainers } from '@nautil/trainer-process';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// A flipped bit in the output of any stage is detected by whatever reads it next: the output is made again, or the run reports it.

const root = mkdtempSync(join(tmpdir(), 'nautil-bits-'));
const home = join(root, 'home');
const environment = programEnvironment(home);
const trainers = new Trainers(environment);
const encoder = join(root, 'encoder');

const overrides = [
  'trainer.accelerator=cpu',
  'trainer.max_epochs=2',
  'nautil.checkpoint_every_n_steps=2',
  'nautil.data.format=sst-2',
  `nautil.data.source=${join(root, 'data.tar.gz')}`,
  'exp_manager.checkpoint_callback_params.save_best_model=true',
  `exp_manager.explicit_log_dir=${join(root, 'logs')}`,
  `model.language_model.pretrained_model_name=${encoder}`,
  `model.nemo_path=${join(root, 'model.nemo')}`,
  'model.train_ds.batch_size=4',
  'model.dataset.num_classes=null',
  'model.dataset.max_seq_length=32',
];

interface Results {
  download: StageResult<Source>;
  convert: StageResult<LabelledData>;
  cache: StageResult<CachedInputs>;
  tokenize: StageResult<TokenizedData>;
  train: StageResult<TrainedModel>;
  evaluate: StageResult<Evaluated>;
  package: StageResult<Packaged>;
}

const openRun = (runKey: string, more: string[] = []): Promise<StagedRun> =>
  StagedRun.open({ home, runKey, overrides: [...overrides, ...more], trainer: (o) => trainers.run(o) });

async function runAll(): Promise<Results> {
  const results: Partial<Record<Stage, StageResult<unknown>>> = {};
  const staged = await openRun('run');
  await staged.run({
    around: async (stage, work) => {
      const result = await work();
      results[stage] = result;
      return result;
    },
  });
  return results as unknown as Results;
}

/** What has to be the same whatever was damaged. */
const digestsOf = (results: Results): Record<string, string | undefined> => ({
  data: results.cache.data.digest,
  tokens: results.tokenize.train.file.sha256,
  last: results.train.lastWeights.sha256,
  best: results.train.bestWeights?.sha256,
  report: results.evaluate.reportFile?.sha256,
  archive: results.package.nemo.sha256,
});

const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
beforeEach(() => void warned.mockClear());

let whole: Results;
beforeAll(async () => {
  Object.assign(process.env, environment);
  await cp(goldenPath('bert-tiny-uncased'), encoder, { recursive: true });
  mkdirSync(join(root, 'data'));
  const lines = Array.from({ length: 24 }, (_, i) => `${i % 2 ? 'a fine film' : 'a tired remake'} ${i}\t${i % 2}\n`);
  for (const split of ['train', 'dev'])
    writeFileSync(join(root, 'data', `${split}.tsv`), `sentence\tlabel\n${lines.join('')}`);
  execFileSync('tar', ['-C', join(root, 'data'), '-czf', join(root, 'data.tar.gz'), '.']);
  whole = await runAll();
}, 120_000);
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const warnings = (): string[] => warned.mock.calls.map(([warning]) => String(warning));

function flipBit(path: string, at?: number): void {
  const bytes = readFileSync(path);
  const position = at ?? randomInt(bytes.length);
  bytes.writeUInt8(bytes.readUInt8(position) ^ (1 << randomInt(8)), position);
  rmSync(path); // objects are read-only
  writeFileSync(path, bytes);
}

async function recordOf(stage: Stage): Promise<string> {
  const folder = join(home, 'store/stages', stage);
  const [key = ''] = await readdir(folder);
  return join(folder, key, 'output.json');
}

test('a run over undamaged outputs makes nothing again', async () => {
  const again = await runAll();
  expect(Object.entries(again).flatMap(([stage, { reused }]) => (reused ? [] : [stage]))).toEqual(['cache']);
  expect(digestsOf(again)).toEqual(digestsOf(whole));
});

test.each<[string, (results: Results) => string | Promise<string>]>([
  ['the unpacked data', ({ download }) => join(download.data.folder!, 'train.tsv')],
  ['the converted data', ({ convert }) => convert.train.path],
  ['the names of the classes', ({ convert }) => convert.labels!.path],
  ['tokenized data', ({ tokenize }) => tokenize.train.file.path],
  ['the last weights', ({ train }) => train.lastWeights.path],
  ['the best weights', ({ train }) => train.bestWeights!.path],
  ['the report', ({ evaluate }) => evaluate.reportFile!.path],
  ['the evaluations', ({ evaluate }) => evaluate.evaluations.path],
  ['a chart', ({ evaluate }) => evaluate.charts![0]!.path],
  ['the stored archive', (results) => results.package.stored!],
  ['the record of an evaluation', () => recordOf('evaluate')],
  ['the record of a training', () => recordOf('train')],
])(
  'a flipped bit in %s is detected: it is made again with the same result, and a warning names it',
  async (_, pathIn) => {
    const path = await pathIn(whole);
    // In JSON, a bit of white space is no damage. This one is in the digest.
    flipBit(path, path.endsWith('output.json') ? readFileSync(path, 'utf8').indexOf('"sha256"') + 20 : undefined);
    const again = await runAll();
    expect(digestsOf(again)).toEqual(digestsOf(whole));
    expect(await sha256File(join(root, 'model.nemo'))).toBe(whole.package.nemo.sha256);
    const messages = [...warnings(), ...Object.values(again).flatMap(({ notes }: { notes?: string[] }) => notes ?? [])];
    const named = path.includes('/unpack/') ? dirname(dirname(path)) : path;
    expect(messages).toContainEqual(expect.stringContaining(`${named} was damaged`));
  },
  60_000,
);

test('a flipped bit in the data that was copied into the store is detected: it is copied again', async () => {
  flipBit(whole.cache.data.train.path);
  const object = join(home, 'store/objects', whole.cache.data.train.sha256.slice(0, 2), whole.cache.data.train.sha256);
  flipBit(object);
  await runAll();
  expect(await sha256File(whole.cache.data.train.path)).toBe(whole.cache.data.train.sha256);
  expect(warnings()).toContainEqual(expect.stringContaining(object));
});

// After a flipped bit in the header of a member, the file is no archive any more.
test.each([
  ['anywhere', undefined],
  ['in its first header', 100],
])('a flipped bit %s in the archive at model.nemo_path is replaced by the next execution of the run', async (_, at) => {
  flipBit(join(root, 'model.nemo'), at);
  await runAll();
  expect(await sha256File(join(root, 'model.nemo'))).toBe(whole.package.nemo.sha256);
});

test.each<[string, (results: Results) => string, (staged: StagedRun) => Promise<unknown>]>([
  ['text that is tokenized', ({ cache }) => cache.data.train.path, (staged) => staged.tokenize(whole.cache)],
  [
    'tokens that are trained on',
    ({ tokenize }) => tokenize.train.file.path,
    (staged) => staged.train(whole.cache, whole.tokenize),
  ],
  [
    'the encoder that is trained',
    () => join(encoder, 'model.safetensors'),
    (staged) => staged.train(whole.cache, whole.tokenize),
  ],
  [
    'weights that are evaluated',
    ({ train }) => train.bestWeights!.path,
    (staged) => staged.evaluate(whole.cache, whole.tokenize, whole.train),
  ],
  [
    'events that are evaluated',
    ({ train }) => train.events.path,
    (staged) => staged.evaluate(whole.cache, whole.tokenize, whole.train),
  ],
  [
    'weights that are packaged',
    ({ evaluate }) => evaluate.weights.path,
    (staged) => staged.package(whole.cache, whole.tokenize, whole.evaluate),
  ],
])('a stage reports a flipped bit in %s, and makes nothing of it', async (name, pathIn, stage) => {
  const path = pathIn(whole);
  const sound = readFileSync(path);
  // Another run with other settings finds no output of its own.
  const other = await openRun(name, ['model.dataset.max_seq_length=16', 'model.nemo_path=null']);
  flipBit(path);
  try {
    const failure = await stage(other).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FileDamaged);
    expect(String(failure)).toContain(name.includes('encoder') ? encoder : path);
  } finally {
    writeFileSync(path, sound);
  }
});
