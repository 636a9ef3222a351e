import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../paths.js';
import { parseRecordedRun } from './recorded-run.js';

const recorded = async (name: string) =>
  parseRecordedRun(await readFile(join(root, 'workflows', 'histories', `${name}.json`), 'utf8'));

test('a history has the results of the activities, by name', async () => {
  const { events, outputs } = await recorded('completed');
  expect(events).toBe(67);
  expect([...outputs.keys()]).toEqual(
    'resolveRun startTracking download convert cache tokenize train evaluate package finishTracking'.split(' '),
  );
  expect(outputs.get('startTracking')).toEqual({ runId: 'm1', url: 'http://mlflow/m1' });
});

test('each workflow task has the time that it waited for a worker', async () => {
  const { taskWaits } = await recorded('completed');
  expect(taskWaits).toHaveLength(11);
  expect(taskWaits[0]).toBe(115); // from .884 to .999
  expect(Math.min(...taskWaits)).toBeGreaterThanOrEqual(0);
});

test('a history has the signals that were sent', async () => {
  const { signals } = await recorded('paused');
  expect(signals.map(({ name }) => name)).toEqual(['pause', 'resume']);
});

test('a text that is no history is refused', () => {
  expect(() => parseRecordedRun('{"events":[{}]}')).toThrow('the history is invalid');
});
