import { beforeAll, expect, test } from '@jest/globals';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { bundleWorkflows, historiesFolder } from '../test/orchestra.js';

// A run that was started by an older version of this code must be able to end with this one. When a test here fails, guard
// the change with `patched` (see README.md); never record the history anew.

let workflowBundle: WorkflowBundle;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflows();
});

const names = (await readdir(historiesFolder)).filter((name) => name.endsWith('.json'));
const historyOf = (name: string): Promise<string> => readFile(join(historiesFolder, name), 'utf8');

test('there are histories to replay', () => {
  expect(names.length).toBeGreaterThanOrEqual(17);
});

test.each(names)('%s replays', async (name) => {
  await Worker.runReplayHistory({ workflowBundle, replayName: name }, JSON.parse(await historyOf(name)));
});

const file = 'text-classification.ts';
const aCall = "await control.stage('cache', () => cpu.cache({ run, source, data }))";

test.each([
  ['calls another activity', { file, find: aCall, replace: aCall.replace('cpu.cache', 'cpu.convert') }],
  ['skips an activity', { file, find: 'await cpu.startTracking(run)', replace: '{ url: undefined }' }],
  ['waits where it did not', { file, find: aCall, replace: `(await sleep(1), ${aCall})` }],
])('a history is refused by a workflow that %s', async (_case, edit) => {
  const withSleep = { file, find: 'import {', replace: 'import { sleep } from "@temporalio/workflow";\nimport {' };
  const changed = await bundleWorkflows([edit, withSleep]);
  await expect(
    Worker.runReplayHistory({ workflowBundle: changed }, JSON.parse(await historyOf('completed.json'))),
  ).rejects.toThrow(DeterminismViolationError);
});

test('a change that is marked as a version replays', async () => {
  const changed = await bundleWorkflows([
    { file, find: aCall, replace: `(marked('rest') && (await sleep(1)), ${aCall})` },
    { file, find: 'import {', replace: 'import { patched as marked, sleep } from "@temporalio/workflow";\nimport {' },
  ]);
  await Worker.runReplayHistory({ workflowBundle: changed }, JSON.parse(await historyOf('completed.json')));
});
