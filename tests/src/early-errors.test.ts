import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { WorkflowFailedError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { defaultTaskQueue } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import { nautil } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

let stack: LocalStack;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: false });
}, 240_000);
afterAll(() => stack.stop());

const stackTrace = /^ +at /m;

test.each(['run', 'sweep'])('`%s` finds a file that can’t be read before a workflow exists', async (command) => {
  const varied = command === 'sweep' ? ['model.optim.lr=1e-3,1e-4'] : [];
  const { exitCode, stderr } = await nautil(stack, [
    ...[command, '--workflow-id', `bad-${command}`, ...tinyRun, ...varied],
    'model.class_labels.class_labels_file=/nowhere/labels.txt',
  ]);
  expect(exitCode).toBe(3);
  expect(stderr).toContain('model.class_labels.class_labels_file: /nowhere/labels.txt does not exist');
  expect(stderr).not.toMatch(stackTrace);
  await expect(stack.client.workflow.getHandle(`bad-${command}`).describe()).rejects.toThrow(WorkflowNotFoundError);
});

describe('without a worker', () => {
  let follower: ChildProcess;
  let output = '';
  beforeAll(() => {
    follower = spawn(process.execPath, ['apps/cli/bin/nautil.mjs', 'run', '--workflow-id', 'waiting', ...tinyRun], {
      cwd: packageRoot(),
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        NAUTIL_HOME: stack.home,
        NAUTIL_TEMPORAL_ADDRESS: stack.temporalAddress,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [follower.stdout!, follower.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  });
  afterAll(() => end(follower, 'SIGKILL'));

  test(
    'a run reports at once that no worker answers',
    () => until(() => output.includes('no worker answers'), 60_000),
    90_000,
  );

  test('a run on another task queue reports the queue and the command that starts its worker, also with --detach', async () => {
    const detached = ['run', '--workflow-id', 'detached', '--task-queue', 'reviews', '--detach', ...tinyRun];
    const { exitCode, stderr } = await nautil(stack, detached);
    expect(stderr).toContain('warning: no worker answers on the task queue reviews');
    expect(stderr).toContain('npx nautil worker --task-queue reviews');
    expect(exitCode).toBe(0);
  });

  test('an id that is running is an error that names the command to follow it', async () => {
    const { exitCode, stderr } = await nautil(stack, ['run', '--workflow-id', 'waiting', ...tinyRun]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('waiting is running already');
    expect(stderr).toContain('npx nautil resume waiting');
    expect(stderr).not.toMatch(stackTrace);
  });
});

test('a run that Temporal’s own client starts fails in its first activity, once, with the hint and without a stack', async () => {
  await stack.startWorker();
  const handle = await stack.client.workflow.start('textClassification', {
    workflowId: 'from-temporal',
    taskQueue: defaultTaskQueue,
    args: [{ overrides: [...tinyRun, `model.nemo_path=${stack.home}`] }],
  });
  const failure = (await handle
    .result()
    .catch((error: unknown) => (error as WorkflowFailedError).cause)) as ApplicationFailure;
  expect(failure).toMatchObject({ type: 'ConfigError', nonRetryable: true });
  expect(failure.message).toBe(`model.nemo_path: ${stack.home} is a folder\nname the file that the run should write`);
  const { events } = await handle.fetchHistory();
  const failed = events!.filter((event) => event.activityTaskFailedEventAttributes);
  expect(failed.map((event) => event.activityTaskFailedEventAttributes!.failure!.stackTrace)).toEqual(['']);
  const started = events!.filter((event) => event.activityTaskStartedEventAttributes);
  expect(started.map((event) => event.activityTaskStartedEventAttributes!.attempt)).toEqual([1]);
});

test('a Temporal server that goes away while a run is followed is reported in one sentence with a hint', async () => {
  const followed = nautil(stack, ['run', '--workflow-id', 'orphan', '--task-queue', 'nobody', ...tinyRun]);
  const isRunning = async (): Promise<boolean> => {
    const found = await stack.client.workflow
      .getHandle('orphan')
      .describe()
      .catch(() => undefined);
    return found?.status.name === 'RUNNING';
  };
  await until(isRunning);
  await sleep(3000);
  await stack.kill('Temporal');
  const { exitCode, stderr } = await followed;
  expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: expect.stringContaining('Temporal no longer answers') });
  expect(stderr).not.toMatch(stackTrace);
}, 120_000);
