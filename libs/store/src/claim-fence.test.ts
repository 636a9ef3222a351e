import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { claimFence, Fenced } from './claim-fence.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const folder = temporaryFolder();

test('the newest claim of a folder is valid, and the error of every older one names the process that took over', async () => {
  const run = join(folder, 'run');
  const first = await claimFence(run);
  await first.check();
  const second = await claimFence(run);
  await second.check();
  await expect(first.check()).rejects.toThrow(`another attempt has taken over, claimed by process ${process.pid} at `);
  await expect(first.check()).rejects.toBeInstanceOf(Fenced);
  const third = await claimFence(run);
  await expect(second.check()).rejects.toMatchObject({ name: 'Fenced', kind: 'training', retryable: false });
  await third.check();
});

test('of many simultaneous claims exactly one is valid', async () => {
  const run = join(folder, 'contended');
  const fences = await Promise.all(Array.from({ length: 20 }, () => claimFence(run)));
  const checks = await Promise.allSettled(fences.map((fence) => fence.check()));
  expect(checks.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(new Set(fences.map(({ token }) => token)).size).toBe(20);
});
