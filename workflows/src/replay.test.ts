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
  expect(names.length).toBeGreaterThanOrEqual(6);
});

test.each(names)('%s replays', async (name) => {
  await Worker.runReplayHistory({ workflowBundle, replayName: name }, JSON.parse(await historyOf(name)));
});

test('a history of other code is refused', async () => {
  const changed = (await historyOf('completed.json')).replaceAll(/"name":\s*"convert"/g, '"name": "transform"');
  await expect(Worker.runReplayHistory({ workflowBundle }, JSON.parse(changed))).rejects.toThrow(
    DeterminismViolationError,
  );
});
