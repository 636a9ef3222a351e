import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ResolvedRun, RunActivities } from '@nautil/contracts';
import { nautilHome } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { createActivities } from './create-activities.js';
import { OutputRoots } from './output-roots.js';
import { dependenciesOfOneWorker } from './testing/dependencies-of-one-worker.js';

let folder: string;
let activities: RunActivities;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nautil-activities-'));
  process.env['NAUTIL_HOME'] = join(folder, 'home');
  process.env['NAME_OF_RUN'] = 'nautil';
  await writeFile(join(folder, 'train.tsv'), 'a good film\t1\na bad film\t0\n');
  activities = createActivities(
    dependenciesOfOneWorker({
      allowedEnv: ['NAME_OF_RUN'],
      outputs: new OutputRoots([join(folder, 'in')], nautilHome()),
    }),
  );
});
afterAll(async () => {
  delete process.env['NAME_OF_RUN'];
  await rm(folder, { recursive: true, force: true });
});

const resolve = (runKey: string, overrides: string[]): Promise<ResolvedRun> =>
  new MockActivityEnvironment().run(activities.resolveRun, {
    ...{ workflowId: 'a-run', runKey, taskQueue: 'nautil', cwd: join(folder, 'in') },
    overrides: [
      `model.train_ds.file_path=${join(folder, 'train.tsv')}`,
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      ...overrides,
    ],
  });

test('the task queues of a run keep their names, even if these contain a value from the environment', async () => {
  const run = await resolve('queues', ['exp_manager.name=${oc.env:NAME_OF_RUN}']);
  expect(run).toMatchObject({
    experiment: '${oc.env:NAME_OF_RUN}',
    queues: { cpu: expect.stringMatching(/^nautil/), gpu: expect.stringMatching(/^nautil/) },
  });
});

test('a run that requires a GPU fails when it is resolved by a worker that would train it without one', async () => {
  const resolved = resolve('gpu', ['trainer.accelerator=gpu']);
  await expect(resolved).rejects.toMatchObject({
    type: 'GpuUnavailable',
    nonRetryable: true,
    message: expect.stringContaining('trainer.accelerator=auto, or cpu'),
  });
});

test('a stage writes only where it may, also for a request that claims to come from another state folder', async () => {
  const run = await resolve('elsewhere', []);
  const request = { run: { ...run, home: 'elsewhere', logDir: join(folder, 'out') }, source: { data: {} } };
  const converted = new MockActivityEnvironment().run(activities.convert, request as never);
  await expect(converted).rejects.toMatchObject({ type: 'OutputNotAllowed', nonRetryable: true });
});
