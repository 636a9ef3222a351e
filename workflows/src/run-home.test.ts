import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { progressQuery, type Progress, type RunRequest } from '@nautil/contracts';
import { Context } from '@temporalio/activity';
import { Orchestra } from '../test/orchestra.js';
import { stubActivities } from '../test/stub-activities.js';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.assemble(Object.keys(stubActivities().activities));
  await Promise.all(['files-of-a', 'any-gpu'].map((taskQueue) => orchestra.hire({ taskQueue })));
});
afterAll(() => orchestra.dismiss());

/** Activities of a run whose training passes its files on, and the queue that each was called on. */
function apart() {
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

test('where training shares no files, what it made is brought home before it is packaged', async () => {
  const { activities, queues, calls } = apart();
  const handle = await orchestra.play({ activities });
  await handle.result();
  await orchestra.record('passing-files', handle);
  const { resolveRun, train, evaluate, ...others } = queues;
  expect([resolveRun, train, evaluate]).toEqual(['test', 'any-gpu', 'any-gpu']);
  expect(new Set(Object.values(others))).toEqual(new Set(['files-of-a']));
  const names = calls.map(([name]) => name);
  expect(names.slice(names.indexOf('evaluate'))).toEqual(['evaluate', 'bringHome', 'package', 'finishTracking']);
});

test('a run that goes on does so where its folder is, and must find it', async () => {
  const first = apart();
  const handle = await orchestra.play({ activities: first.activities, input: { overrides: ['trainer.max_epochs=1'] } });
  await handle.result();
  const { home, runKey } = await handle.query<Progress>(progressQuery);
  expect(home).toBe('files-of-a');
  expect(first.calls[0]![1]).toMatchObject({ begunBefore: false });

  const { activities, queues, calls } = apart();
  await (await orchestra.play({ activities, input: { home, runKey } })).result();
  expect(queues['resolveRun']).toBe('files-of-a');
  expect(calls[0]![1]).toMatchObject({ runKey, begunBefore: true });
});
