import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { readNemo } from '@nautil/formats';
import {
  defaultTaskQueue,
  progressQuery,
  type EpochEvaluated,
  type Progress,
  type TextClassificationResult,
} from '@nautil/contracts';
import { getRun, MlflowClient } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { nautilHome } from '@nautil/store';
import { Classifier } from '@nautil/training';
import { WorkflowFailedError } from '@temporalio/client';
import { end, LocalStack, tinyRun, trainFile } from './testing/local-stack.js';

// The main job with real servers, a real worker and a real (tiny) BERT. Golden's sentences are few: training takes seconds.
let stack: LocalStack;
let worker: ChildProcess;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  worker = await stack.startWorker();
}, 240_000);
afterAll(() => stack?.stop());

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

/** Long enough that a kill meets it in the middle. */
const long = ['trainer.max_epochs=12'];

describe('a run', () => {
  let result: TextClassificationResult;
  beforeAll(async () => {
    const input = JSON.stringify({ overrides: overridesFor('whole', long) });
    await temporal('workflow start --type textClassification --task-queue nautil --workflow-id whole --input', input);
    result = (await stack.client.workflow.getHandle('whole').result()) as TextClassificationResult;
  }, 240_000);

  test('started by Temporal’s own program answers it where it is, and has its scores as search attributes', async () => {
    const answer = JSON.parse(await temporal('workflow query --workflow-id whole --type progress --output json')) as {
      queryResult: Progress[];
    };
    const [progress] = answer.queryResult;
    expect(progress!.stages.map(({ state }) => state)).not.toContain('waiting');
    expect(progress!.training!.step).toBe(progress!.training!.totalSteps);
    expect(progress!.result!.nemo.sha256).toBe(result.nemo.sha256);
    const { searchAttributes } = await stack.client.workflow.getHandle('whole').describe();
    expect(searchAttributes).toMatchObject({
      NautilExperiment: ['TextClassification'],
      NautilModel: ['bert-tiny-uncased'],
      NautilDataset: [expect.any(String)],
      NautilF1: [result.scores!.f1Macro],
    });
  });

  test('leaves an archive that is whole and classifies', async () => {
    expect(result.nemo.path).toBe(join(stack.home, 'whole.nemo'));
    const archive = await readNemo(result.nemo.path);
    expect(archive.tensors.names()).toContain('classifier.mlp.layer0.weight');
    await archive.close();
    const classifier = await Classifier.open(result.nemo.path);
    const lines = (await readFile(trainFile, 'utf8')).split('\n').filter((line) => line !== '');
    const texts = lines.map((line) => line.slice(0, line.lastIndexOf('\t')));
    const predictions = await classifier.predict(texts);
    const right = predictions.filter(
      ({ labelId }, i) => String(labelId) === lines[i]!.slice(lines[i]!.lastIndexOf('\t') + 1).trim(),
    );
    classifier.close();
    // The report is the packaged file's.
    expect(right.length / lines.length).toBeCloseTo(result.scores!.accuracy, 6);
  });

  test('is in MLflow once, finished, with each epoch’s scores and each step’s loss in one row', async () => {
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
    expect(new Set(losses.map(({ step }) => step)).size).toBe(losses.length);
  });

  test('of which the worker and the trainer are killed goes on from its checkpoint and ends with the same bytes', async () => {
    const handle = await start('killed', overridesFor('killed', long));
    await trainingReaches(handle, 25);
    await end(worker, 'SIGKILL');
    worker = await stack.startWorker();
    const resumed = (await handle.result()) as TextClassificationResult;
    expect(resumed.nemo.sha256).toBe(result.nemo.sha256);
    const history = await handle.fetchHistory();
    const timeouts = history.events!.filter((event) => event.activityTaskStartedEventAttributes?.attempt === 2);
    expect(timeouts.length).toBeGreaterThan(0);
  }, 240_000);
});

test.each([
  [
    'a training file that is missing',
    ['model.train_ds.file_path=/nowhere/train.tsv'],
    'DataError',
    /\/nowhere\/train\.tsv/,
  ],
  ['a label beyond the classes', ['model.dataset.num_classes=1'], undefined, /./],
])('%s fails the run at once, with its type and what to do', async (_, more, type, message) => {
  const handle = await start(`wrong-${Math.random()}`, overridesFor('wrong', more));
  const failure = await handle.result().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  const { cause } = failure as WorkflowFailedError & {
    cause: { type?: string; nonRetryable?: boolean; message: string };
  };
  expect(cause.nonRetryable).toBe(true);
  if (type) expect(cause.type).toBe(type);
  expect(cause.message).toMatch(message);
});
