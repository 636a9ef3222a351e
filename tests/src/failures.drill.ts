import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CancelledFailure, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import {
  defaultTaskQueue,
  type Progress,
  progressQuery,
  type TextClassificationInput,
  type TextClassificationResult,
} from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { MlflowClient, type Run } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { keptSteps, nautil, onlyRunOf, printLine, runFolderOf, short } from './testing/drill.js';
import { LocalStack, tinyRun, trainFile, until } from './testing/local-stack.js';

// Failures during training, and pausing, resuming and stopping a run, with real servers, a real worker and a real trainer.

let stack: LocalStack;
let faults: string;
let mlflow: MlflowClient;
let undisturbed: TextClassificationResult;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
  faults = join(stack.home, 'faults');
  await stack.startWorker({ env: { NAUTIL_FAULTS: faults } });
  undisturbed = await resultOf(await start('undisturbed'));
}, 180_000);
afterAll(() => stack.stop());

const start = (
  workflowId: string,
  more: string[] = [],
  input: Omit<TextClassificationInput, 'overrides'> = {},
): Promise<WorkflowHandle> =>
  stack.client.workflow.start('textClassification', {
    workflowId,
    taskQueue: defaultTaskQueue,
    args: [{ ...input, ...(input.runKey ? {} : { overrides: overridesOf(more) }) }],
  });
const overridesOf = (more: string[]): string[] => [
  ...tinyRun,
  'model.optim.lr=1e-3',
  'trainer.max_epochs=2',
  'model.nemo_path=null',
  ...more,
];

const resultOf = (handle: WorkflowHandle): Promise<TextClassificationResult> =>
  handle.result() as Promise<TextClassificationResult>;
const progressOf = (handle: WorkflowHandle): Promise<Progress> => handle.query<Progress>(progressQuery);
const stepOf = async (handle: WorkflowHandle): Promise<number> => (await progressOf(handle)).training?.step ?? 0;
const stateOf = async (handle: WorkflowHandle, stage: string): Promise<string | undefined> =>
  (await progressOf(handle)).stages.find((candidate) => candidate.stage === stage)?.state;

/** The MLflow run of a workflow. */
const mlflowRunOf = (workflowId: string): Promise<Run> => onlyRunOf(mlflow, workflowId);

/** The number of attempts of the train activity, from the workflow's history. Prints why the last attempt was necessary. */
async function attemptsAtTraining(handle: WorkflowHandle): Promise<number> {
  const { events } = await handle.fetchHistory();
  const scheduled = events!.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'train');
  const started = events!.filter(
    (event) => Number(event.activityTaskStartedEventAttributes?.scheduledEventId) === Number(scheduled!.eventId),
  );
  const { attempt, lastFailure } = started.at(-1)!.activityTaskStartedEventAttributes!;
  if (lastFailure) {
    const { message, applicationFailureInfo } = lastFailure;
    const type = applicationFailureInfo?.type ?? 'failure';
    printLine(`${handle.workflowId}: attempt ${attempt} at training followed ${type}: ${message}`);
  }
  return attempt!;
}

/** The failure of the workflow. */
async function failureOf(handle: WorkflowHandle) {
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause as Error & { type?: string; details?: [{ kind: string; hint: string }] };
}

test('a non-finite loss fails the run after one attempt; the error names step, lines and checkpoint, and MLflow shows FAILED', async () => {
  const handle = await start('diverges', ['model.optim.lr=1e30', 'model.optim.sched=null']);
  const { type, message, details } = await failureOf(handle);
  expect(type).toBe('LossNotFinite');
  expect(message).toMatch(/^train: the loss is \S+ at step \d+$/m); // the hint follows
  expect(details![0].kind).toBe('training');
  expect(details![0].hint).toMatch(/lines of the training file in that batch: \d+.*\n.*checkpoint/);
  expect(await attemptsAtTraining(handle)).toBe(1);
  const run = await mlflowRunOf('diverges');
  expect(run.info.status).toBe('FAILED');
  expect(run.tags['nautil.failure']).toBe(message);
  printLine(`diverges: ${type} after one attempt, ${message}; MLflow FAILED`);
});

test.each([
  ['a label that is not a number', ['model.dataset.num_classes=1'], 'data'],
  ['an encoder that does not exist', ['model.language_model.pretrained_model_name=./nowhere'], 'config'],
])('%s is not retried', async (name, more, kind) => {
  const handle = await start(name.replaceAll(' ', '-'), more);
  const { details } = await failureOf(handle);
  expect(details![0].kind).toBe(kind);
  const { events } = await handle.fetchHistory();
  for (const event of events!) expect(event.activityTaskStartedEventAttributes?.attempt ?? 1).toBe(1);
});

test('out of memory halves the micro-batches, warns in the terminal, the notes and MLflow, and keeps the number of steps', async () => {
  await writeFile(faults, 'out-of-memory train step 7');
  const handle = await start('out-of-memory');
  const { stdout, stderr } = await nautil(stack, ['resume', 'out-of-memory']);
  const result = await resultOf(handle);
  expect(result.scores!.examples).toBe(undisturbed.scores!.examples);
  expect(await attemptsAtTraining(handle)).toBe(1);

  const warning =
    /does not fit into memory: training continues with 2 micro-batches per batch \(the same effective batch\)/;
  const { notes, training } = await progressOf(handle);
  expect(notes).toContainEqual(expect.stringMatching(warning));
  expect(stderr + stdout).toMatch(warning);
  expect((await mlflowRunOf('out-of-memory')).tags['nautil.warning']).toMatch(warning);
  const checkpoint = await openTensors(await lastCheckpointOf(handle));
  expect(JSON.parse(checkpoint.metadata['progress']!)).toMatchObject({ split: 2, step: training!.totalSteps });
  await checkpoint.close();
  printLine(`out of memory at step 7: 2 micro-batches per batch from step 5 on, ${short(result.nemo.sha256)}`);
});

test.each(['crash', 'device-lost'])(
  '%s is retried from the checkpoint, and the archive has the same bytes',
  async (fault) => {
    await writeFile(faults, `${fault} train step 7`);
    const handle = await start(fault);
    const { nemo } = await resultOf(handle);
    expect(nemo.sha256).toBe(undisturbed.nemo.sha256);
    expect(await attemptsAtTraining(handle)).toBe(2);
    expect((await mlflowRunOf(fault)).info.status).toBe('FINISHED');
    printLine(`${fault} at step 7: attempt 2 from step 5, ${short(nemo.sha256)} = ${short(undisturbed.nemo.sha256)}`);
  },
);

test('a cancelled run leaves a checkpoint and a KILLED MLflow run, and can be resumed', async () => {
  const handle = await start('cancelled', long);
  await until(async () => (await stepOf(handle)) >= 7);
  await handle.cancel();
  const { cause } = (await handle.result().catch((error: unknown) => error)) as WorkflowFailedError;
  expect(cause).toBeInstanceOf(CancelledFailure);
  expect((await mlflowRunOf('cancelled')).info.status).toBe('KILLED');
  const left = (await checkpointsOf(handle)).at(-1)!.step;
  expect(left).toBeGreaterThanOrEqual(7);

  expect((await nautil(stack, ['resume', 'cancelled', '--detach'])).exitCode).toBe(0);
  const again = stack.client.workflow.getHandle('cancelled');
  await until(async () => (await stepOf(again)) > left);
  await again.executeUpdate('stopEarly');
  const { nemo } = await resultOf(again);
  const { info, tags } = await mlflowRunOf('cancelled');
  expect(info.status).toBe('FINISHED');
  expect(Number(/step-(\d+)/.exec(tags['nautil.resumed_from']!)![1])).toBeGreaterThanOrEqual(left);
  printLine(`cancelled at step ${left}: KILLED; resumed from there, stopped early: ${short(nemo.sha256)}`);
});

test.each(['update', 'signal'])(
  'by %s, pause saves a checkpoint and frees the device, resume continues, and stopEarly packages the best weights',
  async (way) => {
    const best = 'exp_manager.checkpoint_callback_params.save_best_model=true';
    const handle = await start(`steered-by-${way}`, [...long, best]);
    const send = (name: string) => (way === 'update' ? handle.executeUpdate(name) : handle.signal(name));
    await until(async () => (await stepOf(handle)) >= 7);
    await send('pause');
    await until(async () => (await stateOf(handle, 'train')) === 'paused');
    const paused = (await checkpointsOf(handle)).at(-1)!.step;
    await send('resume');
    await until(async () => (await stepOf(handle)) > paused);
    await send('stopEarly');
    const result = await resultOf(handle);
    const ended = (await progressOf(handle)).training!.checkpointStep!;
    expect(ended).toBeGreaterThan(paused);
    expect(result.weights).toBe('best');
    expect(result.scores!.examples).toBe(undisturbed.scores!.examples);
    expect((await mlflowRunOf(`steered-by-${way}`)).info.status).toBe('FINISHED');
    printLine(
      `${way}: paused at step ${paused}, stopped early at ${ended}, best packaged: ${short(result.nemo.sha256)}`,
    );
  },
);

test('a run resumed from evaluate reuses its training, and the archive has the same bytes', async () => {
  const handle = await completed('evaluated-again');
  expect(await resume(handle, '--from', 'evaluate')).toMatchObject({ nemo: { sha256: undisturbed.nemo.sha256 } });
  expect(await statesOf(handle)).toEqual({ tokenize: 'reused', train: 'reused', evaluate: 'done', package: 'done' });
  printLine(`resumed from evaluate: training reused, ${short(undisturbed.nemo.sha256)}`);
});

test('a run resumed from train trains from the start in a new folder, also after an interruption', async () => {
  const handle = await completed('trained-again');
  const before = Date.now();
  await writeFile(faults, 'hold train step 5'); // the training must not end before it is interrupted
  expect((await nautil(stack, ['resume', handle.workflowId, '--from', 'train', '--detach'])).exitCode).toBe(0);
  await until(async () => (await readFile(faults, 'utf8')) === '');
  expect((await mlflowRunOf(handle.workflowId)).tags).not.toHaveProperty('nautil.resumed_from');
  await handle.cancel();
  await sleep(6000); // the cancellation reaches the trainer with one of the heartbeats, which are two seconds apart
  await rm(faults);
  await expect(handle.result()).rejects.toThrow(WorkflowFailedError);

  expect(await resume(handle)).toMatchObject({ nemo: { sha256: undisturbed.nemo.sha256 } });
  expect(await statesOf(handle)).toMatchObject({ tokenize: 'reused', train: 'done' });
  const folders = (await readdir(await runFolderOf(stack, handle))).filter((name) => name.startsWith('training'));
  expect(folders).toHaveLength(2);
  const stepsIn = async (name: string) => keptSteps(await runFolderOf(stack, handle), name);
  const [first, second] = [await stepsIn('training'), await stepsIn(folders.find((name) => name !== 'training')!)];
  expect(second.map(({ step, loss }) => [step, loss])).toEqual(first.map(({ step, loss }) => [step, loss]));
  expect(first.filter(({ timestampMs }) => timestampMs >= before)).toEqual([]);
  expect(second.filter(({ timestampMs }) => timestampMs <= before)).toEqual([]);

  expect(await resume(handle)).toMatchObject({ nemo: { sha256: undisturbed.nemo.sha256 } });
  expect(await statesOf(handle)).toMatchObject({ train: 'reused' });
  const rows = await metricHistory(mlflow, (await mlflowRunOf(handle.workflowId)).info.runId, 'train/loss');
  expect(rows.map(({ step }) => step).sort((a, b) => a - b)).toEqual(first.map(({ step }) => step));
  printLine(`resumed from train: ${second.length} steps again, one interruption, ${short(undisturbed.nemo.sha256)}`);
});

test('a changed configuration reruns only the stages that it affects, and the new MLflow run has all rows', async () => {
  const handle = await completed('changed');
  const first = await resultOf(handle);
  const result = (await resume(handle, `model.test_ds.file_path=${trainFile}`)) as TextClassificationResult;
  expect(await statesOf(handle)).toMatchObject({ train: 'reused', evaluate: 'done', package: 'done' });
  expect(result.scores!.split).toBe('test');
  expect(result.mlflowRunId).not.toBe(first.mlflowRunId);
  const [before, after] = await Promise.all(
    [first, result].map(({ mlflowRunId }) => metricHistory(mlflow, mlflowRunId!, 'train/loss')),
  );
  expect(after).toEqual(before);

  await resume(handle, 'model.optim.lr=5e-4');
  expect(await statesOf(handle)).toMatchObject({ tokenize: 'reused', train: 'done', evaluate: 'done' });
  printLine(
    `another test file: training reused, ${after!.length} rows in the new MLflow run; another lr: tokens reused`,
  );
});

const long = ['trainer.max_epochs=400'];

/** A completed run of the same configuration as the undisturbed one; it is the workflow's newest execution, also later. */
async function completed(workflowId: string): Promise<WorkflowHandle> {
  await resultOf(await start(workflowId));
  return stack.client.workflow.getHandle(workflowId);
}

/** Resumes a run with the command line, and waits for its end. */
async function resume({ workflowId }: WorkflowHandle, ...args: string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await nautil(stack, ['resume', workflowId, ...args, '--json']);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** The states of the stages from `tokenize` on. */
async function statesOf(handle: WorkflowHandle): Promise<Record<string, string>> {
  const { stages } = await progressOf(handle);
  return Object.fromEntries(stages.slice(3).map(({ stage, state }) => [stage, state]));
}

/** The last checkpoint in the log folder, which a run keeps without the state of the optimizer when it has ended. */
async function lastCheckpointOf(handle: WorkflowHandle): Promise<string> {
  const record = await readFile(join(await runFolderOf(stack, handle), 'run.json'), 'utf8');
  const folder = join((JSON.parse(record) as { logDir: string }).logDir, 'checkpoints');
  return join(
    folder,
    (await readdir(folder)).find((name) => name.endsWith('-last.ckpt'))!,
  );
}

/** Those of a run that has not ended, oldest first. */
async function checkpointsOf(handle: WorkflowHandle): Promise<{ step: number; path: string }[]> {
  const folder = join(await runFolderOf(stack, handle), 'training/checkpoints');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort();
  return names.map((name) => ({ step: Number(/\d+/.exec(name)), path: join(folder, name) }));
}
