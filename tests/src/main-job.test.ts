import { type ChildProcess, execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import {
  defaultTaskQueue,
  type EpochEvaluated,
  type FailureDetails,
  type Progress,
  progressQuery,
  type TextClassificationResult,
} from '@nautil/contracts';
import { readNemo } from '@nautil/formats/nemo';
import { getRun, MlflowClient } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { nautilHome } from '@nautil/store/folders';
import { Classifier } from '@nautil/training';
import { end, LocalStack, tinyRun, trainFile } from './testing/local-stack.js';

// The main job with real servers, a real worker and a real (tiny) BERT. Golden's sentences are few: training takes seconds.
let stack: LocalStack;
let worker: ChildProcess;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  worker = await stack.startWorker();
}, 240_000);
afterAll(() => stack.stop());

/** The tiny BERT on golden's sentences, with dropout, and checkpoints every few steps. */
const overridesFor = (id: string, more: string[] = []): string[] => [
  ...tinyRun,
  `model.test_ds.file_path=${trainFile}`,
  `model.nemo_path=${join(stack.home, `${id}.nemo`)}`,
  'model.optim.lr=1e-3',
  'nautil.checkpoint_every_n_steps=10',
  'trainer.max_epochs=3',
  ...more,
];

const start = (workflowId: string, overrides: string[]) =>
  stack.client.workflow.start('textClassification', { workflowId, taskQueue: defaultTaskQueue, args: [{ overrides }] });

/** What Temporal's own program prints. @param words - separated by spaces */
const temporal = (words: string, ...more: string[]): Promise<string> =>
  promisify(execFile)(join(nautilHome(), 'python/bin/temporal'), [
    ...words.split(' '),
    ...more,
    '--address',
    stack.temporalAddress,
  ]).then(({ stdout }) => stdout);

async function trainingReaches(handle: Awaited<ReturnType<typeof start>>, step: number): Promise<void> {
  for (;;) {
    const progress = await handle.query<Progress>(progressQuery);
    if ((progress.training?.step ?? 0) >= step) return;
    if (progress.result || progress.failure)
      throw new Error(`the run ended before step ${step}: ${JSON.stringify(progress.failure)}`);
    await sleep(100);
  }
}

/** Long enough that a kill interrupts training even on a busy machine. */
const long = ['trainer.max_epochs=30'];

describe('a run', () => {
  let result: TextClassificationResult;
  beforeAll(async () => {
    const input = JSON.stringify({ overrides: overridesFor('whole', long) });
    await temporal('workflow start --type textClassification --task-queue nautil --workflow-id whole --input', input);
    result = (await stack.client.workflow.getHandle('whole').result()) as TextClassificationResult;
  }, 240_000);

  test('started by the Temporal CLI answers its progress query and has its scores as search attributes', async () => {
    const answer = JSON.parse(await temporal('workflow query --workflow-id whole --type progress --output json')) as {
      queryResult: Progress[];
    };
    const [progress] = answer.queryResult;
    expect(progress!.stages.map(({ state }) => state)).not.toContain('waiting');
    expect(progress!.training!.step).toBe(progress!.training!.totalSteps);
    expect(progress!.result!.nemo.sha256).toBe(result.nemo.sha256);
    const { typedSearchAttributes } = await stack.client.workflow.getHandle('whole').describe();
    const attributes = Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
    expect(attributes).toMatchObject({
      NautilExperiment: 'TextClassification',
      NautilModel: 'bert-tiny-uncased',
      NautilDataset: basename(trainFile),
      NautilF1: result.scores!.f1Macro,
    });
  });

  test('writes a complete archive whose predictions have the reported accuracy', async () => {
    expect(result.nemo.path).toBe(join(stack.home, 'whole.nemo'));
    const archive = await readNemo(result.nemo.path);
    expect(archive.tensors.names()).toContain('classifier.mlp.layer0.weight');
    await archive.close();
    const classifier = await Classifier.open(result.nemo.path);
    const lines = (await readFile(trainFile, 'utf8')).split('\n').filter((line) => line !== '');
    const texts = lines.map((line) => line.slice(0, line.lastIndexOf('\t')));
    const predictions = await classifier.predict(texts);
    const correct = predictions.filter(
      ({ labelId }, i) => String(labelId) === lines[i]!.slice(lines[i]!.lastIndexOf('\t') + 1).trim(),
    );
    classifier.close();
    // The report describes the packaged file.
    expect(correct.length / lines.length).toBeCloseTo(result.scores!.accuracy, 6);
  });

  test('is in MLflow once, as finished, with one row per evaluation and one per step', async () => {
    const mlflowClient = new MlflowClient({ trackingUri: stack.mlflowUri });
    const run = await getRun(mlflowClient, result.mlflowRunId!);
    expect(run?.info.status).toBe('FINISHED');
    const evaluations = (await readFile(result.evaluations!.path, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as EpochEvaluated);
    const expected = evaluations
      .filter(({ split }) => split === 'val')
      .map(({ step, report }) => [step, report.macro.f1]);
    const rows = await metricHistory(mlflowClient, result.mlflowRunId!, 'val/f1_macro');
    expect(rows.map(({ step, value }) => [step, value])).toEqual(expected);
    const losses = await metricHistory(mlflowClient, result.mlflowRunId!, 'train/loss');
    const { training } = await stack.client.workflow.getHandle('whole').query<Progress>(progressQuery);
    const steps = Array.from({ length: training!.totalSteps }, (_, i) => i + 1);
    expect(losses.map(({ step }) => step).sort((a, b) => a - b)).toEqual(steps);
  });

  test('resumes from its checkpoint after its worker and trainer are killed, and ends with the same bytes', async () => {
    const handle = await start('killed', overridesFor('killed', long));
    await trainingReaches(handle, 25);
    await end(worker, 'SIGKILL');
    worker = await stack.startWorker();
    const resumed = (await handle.result()) as TextClassificationResult;
    expect(resumed.nemo.sha256).toBe(result.nemo.sha256);
    const history = await handle.fetchHistory();
    const attempts = history.events!.map((event) => event.activityTaskStartedEventAttributes?.attempt);
    expect(attempts).toContain(2);
  }, 240_000);
});

test.each<[string, string[], { type: string; kind: FailureDetails['kind'] }, RegExp, RegExp]>([
  [
    'a training file that is missing',
    ['model.train_ds.file_path=/nowhere/train.tsv'],
    { type: 'ConfigError', kind: 'data' },
    /^model\.train_ds\.file_path: \/nowhere\/train\.tsv does not exist/,
    /correct the path/,
  ],
  [
    'a label beyond the classes',
    ['model.dataset.num_classes=1'],
    { type: 'DataError', kind: 'data' },
    /:\d+: label \d+ is not between 0 and 0 \(num_classes is 1\)/,
    /set model\.dataset\.num_classes to \d+ or more/,
  ],
])(
  '%s fails the run without a retry, with a type, a message and a hint',
  async (_, more, { type, kind }, message, hint) => {
    const handle = await start(`wrong-${Math.random()}`, overridesFor('wrong', more));
    const failure = await handle.result().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    const { cause } = failure as WorkflowFailedError & { cause: ApplicationFailure };
    expect(cause).toMatchObject({ nonRetryable: true, type });
    expect(cause.message).toMatch(message);
    expect(cause.details?.[0]).toMatchObject({ kind, hint: expect.stringMatching(hint) });
  },
);
