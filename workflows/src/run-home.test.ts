import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import type { RunRequest } from '@nautil/contracts';
import { stubActivities } from '../test/stub-activities.js';
import { TestStack } from '../test/test-stack.js';
import { runProgress } from './messages.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.start(Object.keys(stubActivities().activities));
  await Promise.all(['files-of-a', 'any-gpu'].map((taskQueue) => stack.startWorker({ taskQueue })));
});
afterAll(() => stack.stop());

/** Activities of a run whose training shares no files with the other stages, and the queue on which each was called. */
function separateWorkers() {
  const { activities, calls } = stubActivities();
  const { resolveRun } = activities;
  const queues: Record<string, string> = {};
  const seen = Object.entries({
    ...activities,
    resolveRun: async (request: RunRequest) => ({
      ...(await resolveRun(request)),
      home: 'a',
      queues: { cpu: 'files-of-a', gpu: 'any-gpu', gpuSharesFiles: false },
    }),
  }).map(([name, activity]) => [
    name,
    (input: never) => {
      queues[name] = Context.current().info.taskQueue;
      return activity(input);
    },
  ]);
  return { activities: Object.fromEntries(seen) as object, queues, calls };
}

test('when training shares no files, its results are copied home before they are packaged', async () => {
  const { activities, queues, calls } = separateWorkers();
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  await stack.recordHistory('passing-files', handle);
  const { resolveRun, train, evaluate, ...others } = queues;
  expect([resolveRun, train, evaluate]).toEqual(['test', 'any-gpu', 'any-gpu']);
  expect(new Set(Object.values(others))).toEqual(new Set(['files-of-a']));
  const names = calls.map(([name]) => name);
  expect(names.slice(names.indexOf('evaluate'))).toEqual(['evaluate', 'bringHome', 'package', 'finishTracking']);
});

test('a resumed run continues where its folder is, and requires that folder', async () => {
  const first = separateWorkers();
  const handle = await stack.startWorkflow({
    activities: first.activities,
    input: { overrides: ['trainer.max_epochs=1'] },
  });
  await handle.result();
  const { home, runKey } = await handle.query(runProgress);
  expect(home).toBe('files-of-a');
  expect(first.calls[0]![1]).toMatchObject({ begunBefore: false });

  const { activities, queues, calls } = separateWorkers();
  await (await stack.startWorkflow({ activities, input: { home, runKey } })).result();
  expect(queues['resolveRun']).toBe('files-of-a');
  expect(calls[0]![1]).toMatchObject({ runKey, begunBefore: true });
});
