import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { programEnvironment } from './testing/program-environment.js';

// Compares the output and files of `nautil train` with those of NeMo 1.23's own script for the same command line.

const artifacts = goldenPath('nemo/run_artifacts');
const trainFile = goldenPath('nemo/traj_train.tsv');

let home: string;
let folder: string;
let ended: Ended;
const recorded = (name: string): Promise<string> => readFile(join(artifacts, name), 'utf8');
const left = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nautil-experiment-'));
  ended = await train(home, await nemosOverrides());
  const [version] = await readdir(join(home, 'exp_tiny/TextClassification'));
  folder = join(home, 'exp_tiny/TextClassification', version!);
}, 180_000);
afterAll(() => rm(home, { recursive: true, force: true }));

/** The overrides of NeMo's command line, with the files of the golden set. */
async function nemosOverrides(): Promise<string[]> {
  const [, ...typed] = (await recorded('cmd-args.log')).split(' ');
  return typed
    .filter((override) => !/class_labels_file|num_classes/.test(override))
    .map((override) =>
      override
        .replace(/(_ds\.file_path)=.*/, `$1=${trainFile}`)
        .replace(/(pretrained_model_name)=.*/, `$1=${goldenPath('bert-tiny-uncased')}`),
    );
}

interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

const train = (cwd: string, overrides: string[]): Promise<Ended> => trainer('train', cwd, overrides);

function trainer(command: string, cwd: string, overrides: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['apps/cli/bin/nautil.mjs', command, ...overrides], {
    cwd: packageRoot(),
    env: {
      ...process.env,
      ...programEnvironment(join(cwd, 'state')),
      INIT_CWD: cwd,
      MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', // the discard port, where nothing listens
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((done) => child.once('close', (exitCode) => done({ exitCode, stdout, stderr })));
}

test('the training completes', () => expect({ ...ended, stdout: '' }).toMatchObject({ exitCode: 0 }));

/** A file name without the parts that differ between runs. */
const shapeOfName = (name: string): string =>
  name
    .replace(/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d/, 'TIME')
    .replace(/val_loss=\d+\.\d{4}/, 'val_loss=N')
    .replace(/tfevents\..*\.\d$/, 'tfevents');

test('the folder holds the files that NeMo writes, under NeMo’s names', async () => {
  const nemos = (await recorded('exp_dir_listing.txt'))
    .trim()
    .split('\n')
    .map((line) => shapeOfName(line.split(' ')[0]!));
  const entries = await readdir(join(home, 'exp_tiny'), { recursive: true, withFileTypes: true });
  const ours = entries
    .filter((entry) => entry.isFile())
    .map((entry) => shapeOfName(join(entry.parentPath, entry.name).slice(join(home, 'exp_tiny/').length)));
  // Only Nautil writes the state of the checkpoint rotation; NeMo's script ran outside a Git checkout, so it logged no commit.
  const shared = ours.filter((name) => !/\.kept\.json$|git-info\.log$/.test(name));
  expect(new Set(shared)).toEqual(new Set(nemos));
});

test('hparams.yaml has the keys of NeMo’s', async () => {
  const keysOf = (value: unknown, prefix = ''): string[] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${prefix}.${key}`))
      : [prefix];
  const ours = keysOf(parse(await left('hparams.yaml')));
  const nemos = keysOf(parse(await recorded('hparams.yaml')));
  expect(nemos.filter((key) => !ours.includes(key) && !key.includes('nemo_version'))).toEqual([]);
});

test('cmd-args.log is the command line', async () => {
  const [program, ...overrides] = (await left('cmd-args.log')).split(' ');
  expect(program).toBe('trainer:train');
  expect(overrides).toEqual(await nemosOverrides());
});

/** The entries of a log, in order: level, module and message, with numbers and examples masked. */
function entriesIn(log: string): string[] {
  const entries = log.matchAll(
    /^\[\w+ ([IWE]) [\d-]+ [\d:]+ (\w+)(?::\d+)?\] ([^]*?)\n(?=\[\w+ \w [\d-]+ |$(?![^]))/gm,
  );
  return [...entries].map(([, level, module, message]) =>
    `${level} ${module}: ${message!.trim().split('\n')[0]}`
      .replace(/(example \d+|subtokens|input_ids|segment_ids|input_mask|Query ): ?.*/, '$1: …')
      .replace(/Read \d+ examples from .*/, 'Read … examples from …')
      .replace(/(logged at|file:) .*/, '$1 …')
      .replace(/\d+(\.\d+)?/g, 'N'),
  );
}

// Lines about NeMo itself, Lightning, Hydra or PyTorch, which are not about the run.
const nemosOwn =
  /: (TensorboardLogger|Preemption|Getting HuggingFace|You tried to register|Weighted Cross|Calculating stats|Total Sentence|Sentence class|Class Weights|Apex|bert-tiny|Optimizer config|Scheduler|lib\/python)|nemo_logging|nlp_overrides/;

test('the log has the entries of NeMo’s log, in NeMo’s words', async () => {
  const ours = entriesIn(await left('nemo_log_globalrank-0_localrank-0.txt'));
  const nemos = entriesIn(await recorded('nemo_log_globalrank-0_localrank-0.txt')).filter(
    (line) => !nemosOwn.test(line),
  );
  expect(nemos.length).toBeGreaterThan(20);
  // Nautil packages the weights that it has evaluated, so it saves the archive after the test; NeMo saves it before.
  const unsaved = (lines: string[]): string[] =>
    lines.filter((line) => !line.includes('Model is saved into') && !line.includes('Truncated'));
  expect(unsaved(ours)).toEqual(unsaved(nemos));
  expect(ours.filter((line) => line.includes('Model is saved into'))).toEqual(
    nemos.filter((line) => line.includes('Model is saved into')),
  );
});

test('Lightning’s log reports the best checkpoints and the end of training in Lightning’s words', async () => {
  const shape = (text: string): string[] =>
    text
      .split('\n')
      .filter((entry) => /^Epoch|^`Trainer.fit`/.test(entry))
      .map((entry) => entry.replace(/'[^']*\/[^']*'/, 'PATH').replace(/\d+(\.\d+)?/g, 'N'));
  expect(shape(await left('lightning_logs.txt'))).toEqual(shape(await recorded('lightning_logs.txt')));
});

test('the terminal shows the log', async () => {
  const log = await left('nemo_log_globalrank-0_localrank-0.txt');
  const entries = log.split('\n').filter((line) => line.startsWith('['));
  expect(entries.length).toBeGreaterThan(20);
  expect(entries.filter((entry) => !ended.stderr.includes(entry))).toEqual([]);
});

test('evaluate and infer print the same for a checkpoint as for the archive', async () => {
  const checkpoints = await readdir(join(folder, 'checkpoints'));
  const models = [
    join(
      folder,
      'checkpoints',
      checkpoints.find((name) => name.endsWith('-last.ckpt'))!,
    ),
    join(folder, 'checkpoints/TextClassification.nemo'),
  ];
  const outputs = { evaluate: new Set<string>(), infer: new Set<string>() };
  for (const model of models) {
    const overrides = [`model.nemo_path="${model}"`, `model.test_ds.file_path=${trainFile}`];
    for (const command of ['evaluate', 'infer'] as const) {
      const { exitCode, stdout } = await trainer(command, home, overrides);
      expect(exitCode).toBe(0);
      outputs[command].add(stdout.replace(model, 'MODEL'));
    }
  }
  const [report, ...otherReports] = outputs.evaluate;
  expect(report).toMatch(/micro average +[\d.]+[^]*test loss \d\.\d{4}, accuracy \d\.\d{4}/);
  expect(otherReports).toEqual([]);
  const [answers, ...otherAnswers] = outputs.infer;
  expect(answers).toMatch(/^(Query : .+\nPredicted label: \d+, [\d.]+ %\n){3}$/);
  expect(otherAnswers).toEqual([]);
}, 120_000);

test('resume_if_exists continues from the last checkpoint for more epochs, and fails clearly without one', async () => {
  const overrides = (await nemosOverrides()).filter((override) => !/max_epochs|exp_dir/.test(override));
  const place = ['exp_manager.explicit_log_dir=again', 'exp_manager.resume_if_exists=true'];
  const without = await train(home, [...overrides, ...place, 'trainer.max_epochs=1']);
  expect(without.exitCode).toBe(2);
  expect(without.stderr).toMatch(/no checkpoint to resume from[^]*resume_ignore_no_checkpoint=true/);

  const ignore = 'exp_manager.resume_ignore_no_checkpoint=true';
  expect(await train(home, [...overrides, ...place, ignore, 'trainer.max_epochs=1'])).toMatchObject({ exitCode: 0 });
  const more = await train(home, [...overrides, ...place, 'trainer.max_epochs=3']);
  expect(more.exitCode).toBe(0);
  expect(more.stderr).not.toMatch(/^epoch 1 /m);
  expect(more.stderr).toMatch(/^epoch 3 /m);
  expect(await readdir(join(home, 'again'))).toEqual(expect.arrayContaining(['run_0', 'checkpoints', 'hparams.yaml']));
}, 240_000);
