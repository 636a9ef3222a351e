import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, jest, test } from '@jest/globals';
import { openTracker } from './tracker.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-clock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  jest.restoreAllMocks();
});

const dayMs = 86_400_000;

/** The time of the end in a journal, after the given times of the starts. */
async function endAfter(name: string, startsMs: number[], endMs: number): Promise<unknown> {
  const journal = join(folder, `${name}.jsonl`);
  for (const [i, startMs] of startsMs.entries()) {
    const now = jest.spyOn(Date, 'now').mockReturnValue(startMs);
    const tracker = await openTracker({
      trackingUri: 'http://127.0.0.1:9',
      experiment: 'clock',
      workflowId: 'clock',
      runKey: '1',
      journal,
      warn: () => undefined,
      connectTimeoutMs: 0,
    });
    now.mockReturnValue(endMs);
    if (i === startsMs.length - 1) await tracker.finish('FINISHED', undefined, { timeoutMs: 0 });
    await tracker.close();
  }
  const lines = readFileSync(journal, 'utf8').trim().split('\n');
  const { type, timestampMs } = JSON.parse(lines.at(-1)!) as Record<string, unknown>;
  return { type, timestampMs };
}

test.each([
  ['in the process that ends it', [9 * dayMs], 8 * dayMs, 9 * dayMs],
  ['before the process that ends it started', [9 * dayMs, 8 * dayMs], 8 * dayMs + 5, 9 * dayMs],
  ['not at all', [8 * dayMs], 9 * dayMs, 9 * dayMs],
])('a run ends no earlier than it began when the clock was set back %s', async (name, starts, end, timestampMs) => {
  expect(await endAfter(name, starts, end)).toEqual({ type: 'end', timestampMs });
});
