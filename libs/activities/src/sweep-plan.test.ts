import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ConfigError } from '@nautil/config';
import { maxTrials, type SweepPlan, type SweepRequest } from '@nautil/contracts';
import { planSweep, SweepRefused } from './sweep-plan.js';

let cwd: string;
beforeAll(async () => (cwd = await mkdtemp(join(tmpdir(), 'nautil-plan-'))));
afterAll(() => rm(cwd, { recursive: true, force: true }));

const files = ['model.train_ds.file_path=train.tsv', 'model.validation_ds.file_path=dev.tsv'];
const plan = (overrides: string[], o: Partial<SweepRequest> = {}): Promise<SweepPlan> =>
  planSweep({ sweepId: 'rates', objective: 'val/f1_macro', ...o, overrides: [...files, ...overrides] }, { cwd });
const combinationsOf = ({ trials }: SweepPlan): string[] => trials.map(({ overrides }) => overrides.join(' '));

test('a grid lists every combination once, numbered, and keeps the shared overrides separate', async () => {
  const planned = await plan(['model.optim.lr=1e-5,2e-5', 'trainer.max_epochs=range(1,3)', 'nautil.seed=7']);
  expect(planned.fixed).toEqual([...files, 'nautil.seed=7', 'model.nemo_path=null']);
  expect(planned.trials.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
  expect(combinationsOf(planned)).toEqual([
    'model.optim.lr=1e-05 trainer.max_epochs=1',
    'model.optim.lr=1e-05 trainer.max_epochs=2',
    'model.optim.lr=2e-05 trainer.max_epochs=1',
    'model.optim.lr=2e-05 trainer.max_epochs=2',
  ]);
});

test('a combination has the same id in every sweep of the same name, unless the fixed overrides differ', async () => {
  const few = await plan(['model.optim.lr=1e-5,2e-5']);
  const more = await plan(['model.optim.lr=5e-5,2e-5,1e-5']);
  const other = await plan(['model.optim.lr=1e-5,2e-5', 'nautil.seed=7']);
  const ids = ({ trials }: SweepPlan): string[] => trials.map(({ workflowId }) => workflowId);
  expect(ids(few)[0]).toMatch(/^rates-lr=1e-05-[0-9a-f]{8}$/);
  expect(ids(more)).toEqual(expect.arrayContaining(ids(few)));
  expect(ids(other).filter((id) => ids(few).includes(id))).toEqual([]);
});

test('a seeded draw is reproducible, and a larger one extends it', async () => {
  const overrides = ['model.optim.lr=tag(log,interval(1e-5,1e-3))', 'trainer.max_epochs=1,2,3'];
  const three = combinationsOf(await plan(overrides, { random: 3, seed: 5 }));
  const five = combinationsOf(await plan(overrides, { random: 5, seed: 5 }));
  expect(five.slice(0, 3)).toEqual(three);
  expect(combinationsOf(await plan(overrides, { random: 3, seed: 6 }))).not.toEqual(three);
});

test('a combination that is drawn twice is one trial', async () => {
  const planned = await plan(['trainer.max_epochs=1,2'], { random: 10 });
  expect(planned.trials).toHaveLength(2);
  expect(planned.notes).toContain('8 duplicates among the 10 combinations are left out');
});

test('model paths that vary are kept', async () => {
  const { fixed } = await plan(['model.nemo_path=a.nemo,b.nemo', 'trainer.max_epochs=1']);
  expect(fixed).not.toContain('model.nemo_path=null');
});

test.each([
  ['nothing varies', ['trainer.max_epochs=1'], {}, SweepRefused, /nothing varies/],
  ['too much varies', [`nautil.seed=range(0,${maxTrials + 1})`], {}, SweepRefused, /more than a sweep may have/],
  ['an interval has no grid', ['model.optim.lr=interval(0,1)'], {}, ConfigError, /is an interval/],
  ['the configuration is unknown', ['trainer.max_epochs=1,2'], { config: 'nowhere' }, ConfigError, /nowhere/],
  [
    'the score is not available',
    ['trainer.max_epochs=1,2'],
    { objective: 'test/loss' as const },
    SweepRefused,
    /model\.test_ds\.file_path is not set/,
  ],
])('the sweep is rejected before any trial starts if %s', async (_case, overrides, request, type, message) => {
  const error: unknown = await plan(overrides, request).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(type);
  expect((error as Error).message).toMatch(message);
});

test.each(['model.optim.lr=1e-3,abc', 'model.optim.lrr=1,2', 'trainer.devices=choice(1,[a])'])(
  'the error for a value of a trial names the key, and numbers no override: %s',
  async (override) => {
    await expect(plan([override, 'nautil.seed=1'])).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/^(?!override \d)(?:model\.optim\.lrr?|trainer\.devices)\b/),
    });
  },
);

test('the error for an invalid value names the combination', async () => {
  await expect(plan(['data=sst-2,nowhere'])).rejects.toMatchObject({
    name: 'ConfigError',
    hint: expect.stringContaining('in the combination data=nowhere'),
  });
});
