import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { Trainers } from '@nautil/trainer-process';
import { tinyRun, until } from './testing/local-stack.js';
import { programEnvironment } from './testing/program-environment.js';
import { StagedRun } from './testing/staged-run.js';

// Which tasks of a worker share a trainer process, with real processes.

const home = mkdtempSync(join(tmpdir(), 'nautil-trainers-'));
const faults = join(home, 'faults');
const trainers = new Trainers({ ...programEnvironment(home), NAUTIL_FAULTS: faults }, { idleMs: 120_000 });
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const pids: number[] = [];
const short = ['trainer.max_epochs=1', 'model.nemo_path=null', 'model.train_ds.num_samples=8'];

/** Runs all stages. Runs share no training, so that equal bytes mean equal computations. */
async function run(runKey: string, more: string[] = []): Promise<string> {
  const staged = await StagedRun.open({
    home,
    runKey,
    overrides: [...tinyRun, ...short, ...more],
    trainer: (o) =>
      trainers.run({
        ...o,
        onStarted: (running) => {
          pids.push(running.pid);
          o.onStarted?.(running);
        },
      }),
  });
  const { model } = await staged.run();
  return model.lastWeights.sha256;
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a process is reused for the next run, with the same bytes, unless that run sets TensorFlow differently', async () => {
  const first = await run('first');
  expect(new Set(pids).size).toBe(1);
  // Another text to classify, so that the evaluation is not reused.
  expect(await run('second', ['model.infer_samples=[another text]'])).toBe(first);
  expect(pids).toEqual(Array(4).fill(pids[0]));
  await run('third', ['nautil.intra_op_threads=1']);
  expect(pids.slice(4)).toEqual(Array(2).fill(pids[4]));
  expect(pids[4]).not.toBe(pids[0]);
  expect(isRunning(pids[0]!)).toBe(false);

  process.kill(pids[4]!, 'SIGSTOP'); // a process that stops responding does not block the next run
  await run('fourth');
  expect(isRunning(pids[4]!)).toBe(false);
}, 120_000);

test('a process that is killed while idle is replaced, and one whose task failed is not reused', async () => {
  await run('idle');
  const idle = pids.at(-1)!;
  process.kill(idle, 'SIGKILL');
  await until(() => !isRunning(idle));
  await sleep(100); // until the pool has noticed its end
  await run('after', ['model.infer_samples=[a third text]']);
  const next = pids.at(-1)!;
  expect(next).not.toBe(idle);

  await writeFile(faults, 'device-lost train step 1\n');
  await expect(run('failing')).rejects.toThrow(/device lost/);
  expect(pids.at(-1)).toBe(next);
  await until(() => !isRunning(next));
}, 120_000);
