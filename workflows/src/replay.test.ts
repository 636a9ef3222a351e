import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflows, historiesFolder } from '../test/test-stack.js';

// A run that an older version of this code started must be able to end with this version. When a test here fails, guard the
// change with `patched` (see README.md). Never record an existing history again.

let workflowBundle: WorkflowBundle;
let tracedBundle: WorkflowBundle;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflows();
  tracedBundle = await bundleWorkflows({ isTraced: true });
});

const names = (await readdir(historiesFolder)).filter((name) => name.endsWith('.json'));
const historyOf = (name: string): Promise<string> => readFile(join(historiesFolder, name), 'utf8');

test('there are histories to replay', () => {
  expect(names.length).toBeGreaterThanOrEqual(17);
});

test.each(names)('%s replays', async (name) => {
  await Worker.runReplayHistory({ workflowBundle, replayName: name }, JSON.parse(await historyOf(name)));
});

test.each(names)('%s replays on a worker that traces, although its run began without', async (name) => {
  await Worker.runReplayHistory(
    { workflowBundle: tracedBundle, sinks: { exporter: { export: { fn: () => undefined } } }, replayName: name },
    JSON.parse(await historyOf(name)),
  );
});

const file = 'text-classification.ts';
const stages = '...cpu,';
const afterSleep = 'async (request) => (await sleep(1), cpu.cache(request))';

test.each([
  ['calls another activity', { file, find: stages, replace: '...cpu, cache: (request) => cpu.convert(request),' }],
  ['skips an activity', { file, find: 'await cpu.startTracking(run)', replace: '{ url: undefined }' }],
  ['waits before an activity', { file, find: stages, replace: `...cpu, cache: ${afterSleep},` }],
])('a history cannot be replayed by a workflow that %s', async (_case, edit) => {
  const withSleep = { file, find: 'import {', replace: 'import { sleep } from "@temporalio/workflow";\nimport {' };
  const changed = await bundleWorkflows({ edits: [edit, withSleep] });
  await expect(
    Worker.runReplayHistory({ workflowBundle: changed }, JSON.parse(await historyOf('completed.json'))),
  ).rejects.toThrow(DeterminismViolationError);
});

test('a change that is guarded with `patched` replays', async () => {
  const guarded = "async (request) => (marked('rest') && (await sleep(1)), cpu.cache(request))";
  const changed = await bundleWorkflows({
    edits: [
      { file, find: stages, replace: `...cpu, cache: ${guarded},` },
      { file, find: 'import {', replace: 'import { patched as marked, sleep } from "@temporalio/workflow";\nimport {' },
    ],
  });
  await Worker.runReplayHistory({ workflowBundle: changed }, JSON.parse(await historyOf('completed.json')));
});
