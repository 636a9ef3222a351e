import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { defaultTaskQueue, type TextClassificationResult } from '@nautil/contracts';
import { findJournals, getExperimentByName, MlflowClient, searchRuns } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { LocalStack, tinyRun } from './testing/local-stack.js';

// Many runs are queued at once on one machine: nothing is lost, and no process grows with the number of runs.

const runs = Number(process.env['NAUTIL_DRILL_RUNS'] ?? 200);
const atOnce = 2;

let stack: LocalStack;
let worker: ChildProcess;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  worker = await stack.startWorker({ args: ['--trainings', String(atOnce)] });
}, 120_000);
afterAll(() => stack.stop());

test(`${runs} runs queued at once all complete, each appears once in MLflow, and memory stays bounded`, async () => {
  const memory = new MemoryWatch({
    worker: () => residentMb(worker.pid!),
    ...Object.fromEntries(stack.serverPids().map(({ name, pid }) => [name, () => residentMb(pid)])),
    trainers: () => childrenOf(worker.pid!).reduce((sum, child) => sum + residentMb(child), 0),
  });
  const begun = performance.now();
  const handles = await Promise.all(
    Array.from({ length: runs }, (_, index) =>
      stack.client.workflow.start('textClassification', {
        workflowId: `many-${index}`,
        taskQueue: defaultTaskQueue,
        // Different learning rates, so that no run reuses the training of another.
        args: [{ overrides: [...tinyRun, ...oneStep, `model.optim.lr=${1e-4 + index * 1e-6}`] }],
      }),
    ),
  );
  let ended = 0;
  const watching = setInterval(() => memory.sample(ended), 1000);
  const results = await Promise.all(
    handles.map(async (handle) => {
      const result = (await handle.result()) as TextClassificationResult;
      ended += 1;
      if (ended % Math.ceil(runs / 8) === 0)
        process.stderr.write(`many: ${ended} of ${runs} runs ended after ${secondsSince(begun)} s\n`);
      return result;
    }),
  ).finally(() => clearInterval(watching));
  const seconds = Number(secondsSince(begun));

  expect(new Set(results.map(({ nemo }) => nemo.path)).size).toBe(runs);
  const [longest] = (await Promise.all(handles.map(async (handle) => (await handle.describe()).historyLength))).sort(
    (a, b) => b - a,
  );
  expect(longest).toBeLessThan(150);

  const mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
  const [{ experimentId }] = [(await getExperimentByName(mlflow, 'TextClassification'))!];
  const found = await searchRuns(mlflow, { experimentIds: [experimentId], limit: 1000 });
  expect(found.map(({ info }) => info.runName).sort()).toEqual(handles.map(({ workflowId }) => workflowId).sort());
  expect(new Set(found.map(({ info }) => info.status))).toEqual(new Set(['FINISHED']));
  for (const { mlflowRunId } of results) {
    expect((await metricHistory(mlflow, mlflowRunId!, 'train/loss')).map(({ step }) => step)).toEqual([1]);
    expect(await metricHistory(mlflow, mlflowRunId!, 'val/f1_macro')).toHaveLength(1);
  }
  expect((await findJournals(join(stack.home, 'runs'))).map(({ unsent }) => unsent)).toEqual(results.map(() => 0));

  // Equal data is tokenized once, by whichever run comes first.
  expect(await readdir(join(stack.home, 'store/stages/tokenize'))).toHaveLength(1);
  console.log(
    [
      `many: ${runs} runs in ${seconds.toFixed(0)} s, ${(seconds / runs).toFixed(2)} s per run, ${atOnce} trainings at a time; longest history ${longest} events`,
      ...memory.lines(),
    ].join('\n'),
  );
  for (const { name, firstMb, lastMb } of memory.growth()) expect([name, lastMb - firstMb < 120]).toEqual([name, true]);
  // Trainer processes are replaced now and then, so their growth is not measured, only their largest size.
  expect(memory.most('trainers')).toBeLessThan(atOnce * 1000);
}, 1_400_000);

const secondsSince = (begun: number): string => ((performance.now() - begun) / 1000).toFixed(0);

/** One step and one batch shape, because this drill is about the number of runs. */
const oneStep = [
  'model.nemo_path=null',
  'trainer.max_epochs=1',
  'model.train_ds.num_samples=8',
  'model.validation_ds.num_samples=8',
  'model.validation_ds.batch_size=8',
];

/** Samples the resident memory of processes while runs complete. */
class MemoryWatch {
  readonly #processes: Record<string, () => number>;
  readonly #samples: { ended: number; mb: Record<string, number> }[] = [];

  constructor(processes: Record<string, () => number>) {
    this.#processes = processes;
  }

  sample(ended: number): void {
    const mb = Object.entries(this.#processes).map(([name, megabytes]) => [name, megabytes()] as const);
    this.#samples.push({ ended, mb: Object.fromEntries(mb) });
  }

  /** Growth after a third of the runs; the first third fills caches. */
  growth(): { name: string; firstMb: number; lastMb: number }[] {
    const warm = this.#samples.filter(({ ended }) => ended >= runs / 3);
    const names = Object.keys(this.#processes).filter((name) => name !== 'trainers');
    return names.map((name) => ({
      name,
      firstMb: warm[0]?.mb[name] ?? 0,
      lastMb: warm.at(-1)?.mb[name] ?? 0,
    }));
  }

  most(name: string): number {
    return Math.max(...this.#samples.map(({ mb }) => mb[name] ?? 0));
  }

  lines(): string[] {
    return [
      ...this.growth().map(
        ({ name, firstMb, lastMb }) =>
          `  ${name}: ${firstMb} MB after a third of the runs, ${lastMb} MB at the end, at most ${this.most(name)} MB`,
      ),
      `  trainers: at most ${this.most('trainers')} MB together`,
    ];
  }
}

/** Resident memory of a process, including its children if it is a shell or one of MLflow's Python processes. */
function residentMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const ownMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    const isShell = /^Name:\s+sh$/m.test(status) || /^Name:\s+(mlflow|python)/m.test(status);
    const childrenMb = isShell ? childrenOf(pid).reduce((sum, child) => sum + residentMb(child), 0) : 0;
    return Math.round(ownMb + childrenMb);
  } catch {
    return 0; // the process has ended
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
