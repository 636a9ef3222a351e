import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import type { NautilError } from '@nautil/contracts';
import { GpuLeases } from './gpu-leases.js';
import type { TrainerTask } from './trainer-task.js';
import { Trainers } from './trainers.js';

// Tasks on a machine with GPUs, in processes that fail at once, and state in their error what they see.

const folder = mkdtempSync(join(tmpdir(), 'nautil-gpus-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = join(folder, 'fails.mjs');
writeFileSync(
  program,
  `process.on('message', ({ type, task }) => {
     if (type !== 'run') return;
     const { devices, fails } = task.job.config.trainer;
     const message = \`devices=\${devices} of GPUs \${process.env.CUDA_VISIBLE_DEVICES}\`;
     if (fails === 'TrainerCrashed') {
       console.error(message + '\\nF device_event_mgr.cc:223] Unexpected Event status: 1');
       process.exit(134);
     }
     const error = { name: fails, kind: 'environment', message, hint: 'a hint', retryable: false };
     process.send({ type: 'failed', error }, () => process.exit(1));
   });
   process.send({ type: 'ready' });
   await new Promise(() => {});`,
);

let machines = 0;

/** Runs tasks of one worker on a machine with that many GPUs. Returns their errors. */
function worker(gpus: number) {
  const list = async (): Promise<string[]> => Array.from({ length: gpus }, (_, i) => String(i + 2));
  const leases = new GpuLeases({ list, scope: `nautil-trainers-${process.pid}-${machines++}` });
  const trainers = new Trainers({ NODE_OPTIONS: `--import=${pathToFileURL(program).href}` }, { leases });
  return async (fails: string, trainer: object = {}, what = 'train'): Promise<NautilError> => {
    const config = { trainer: { accelerator: 'auto', devices: 1, fails, ...trainer }, nautil: {} };
    const task = { do: what, job: { config } } as unknown as TrainerTask;
    return trainers.run({ task }).then(
      () => {
        throw new Error('the task did not fail');
      },
      (error: unknown) => error as NautilError,
    );
  };
}

test('a process sees the GPUs that its task asks for, and is asked for as many', async () => {
  const fail = worker(3);
  expect((await fail('LossNotFinite')).message).toBe('devices=1 of GPUs 2');
  expect((await fail('LossNotFinite', { devices: [2, 0] })).message).toBe('devices=2 of GPUs 2,4');
  expect((await fail('LossNotFinite', { devices: -1 })).message).toBe('devices=3 of GPUs 2,3,4');
  // An evaluation computes on one GPU.
  expect((await fail('LossNotFinite', { devices: '1,2' }, 'evaluate')).message).toBe('devices=1 of GPUs 3');
  expect((await fail('LossNotFinite', { accelerator: 'cpu', devices: 2 })).message).toMatch(
    /^devices=2 of GPUs (?!\d)/,
  );
});

test.each(['GpuFailed', 'TrainerCrashed'])('after %s the next attempt gets another GPU', async (name) => {
  const fail = worker(2);
  const attempts = [await fail(name), await fail(name)];
  const shown = attempts.map(({ message, hint }) => /of GPUs (\d)/.exec(`${message}\n${hint}`)?.[1]);
  expect(shown).toEqual(['2', '3']);
});

test('a task that finds too little memory is retried while there is another GPU', async () => {
  const fail = worker(2);
  const first = await fail('BatchTooLarge');
  expect(first).toMatchObject({
    name: 'BatchTooLarge',
    retryable: true,
    hint: 'the next attempt uses another GPU\na hint',
  });
  const second = await fail('BatchTooLarge');
  expect(second).toMatchObject({ retryable: false, hint: 'a hint', message: 'devices=1 of GPUs 3' });
});

test('after an error that is not the GPU’s, the next attempt gets the same GPU', async () => {
  const fail = worker(2);
  const attempts = [await fail('LossNotFinite'), await fail('LossNotFinite')];
  expect(attempts.map(({ message }) => message)).toEqual(Array(2).fill('devices=1 of GPUs 2'));
});

test('GPUs of a worker that was killed are leased again only after its trainer process has ended', async () => {
  const scope = `nautil-orphan-${process.pid}`;
  const frozen = join(folder, 'frozen.mjs');
  // Its listener is the first, so the trainer stops before it begins with the task.
  writeFileSync(
    frozen,
    `process.on('message', ({ type }) => { if (type === 'run') process.kill(process.pid, 'SIGSTOP'); });`,
  );
  const workerProgram = join(folder, 'worker.mjs');
  const source = (file: string): string => JSON.stringify(pathToFileURL(join(import.meta.dirname, file)).href);
  writeFileSync(
    workerProgram,
    `const { GpuLeases } = await import(${source('gpu-leases.ts')});
     const { Trainers } = await import(${source('trainers.ts')});
     const leases = new GpuLeases({ list: async () => ['0', '1'], scope: '${scope}' });
     const trainers = new Trainers({ NODE_OPTIONS: ${JSON.stringify(`--import=${pathToFileURL(frozen).href}`)} }, { leases });
     const task = { do: 'train', job: { config: { trainer: { accelerator: 'auto', devices: 2 }, nautil: {} } } };
     await trainers.run({ task, onStarted: ({ pid }) => process.send(pid) });`,
  );
  const killed = fork(workerProgram, { execArgv: ['--import', 'tsx'], env: { ...process.env, NODE_OPTIONS: '' } });
  const [trainer] = (await once(killed, 'message')) as [number];
  while (!/^State:\tT/m.test(readFileSync(`/proc/${trainer}/status`, 'utf8'))) await sleep(50);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  const given: string[] = [];
  const leases = new GpuLeases({ list: () => Promise.resolve(['0', '1']), scope });
  const pending = [0, 1].map(async (gpu) => {
    const lease = await leases.lease({ accelerator: 'gpu', devices: [gpu] });
    given.push(...lease!.gpus);
  });
  await sleep(1000);
  const givenBefore = [...given];
  process.kill(trainer, 'SIGKILL');
  expect(givenBefore).toEqual([]);
  await Promise.all(pending);
  expect(given.sort()).toEqual(['0', '1']);
});
