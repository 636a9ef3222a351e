import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultTaskQueue, stageNames, type TextClassificationResult } from '@nautil/contracts';
import { MlflowClient } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { onlyRunOf, printLine, runFolderOf, short, trainerOf } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

// Each process that a run needs is killed with SIGKILL during each activity; the result equals that of an undisturbed run.

type Victim = 'trainer' | 'worker' | 'Temporal' | 'MLflow';
type Drilled = Victim | 'all at once';

/** The activities of a run, in order. */
const activityNames = ['resolveRun', 'startTracking', ...stageNames, 'finishTracking'] as const;
type ActivityName = (typeof activityNames)[number];

/** The activities that involve a victim; one that does not contact a server is left out. */
const takesPart: Record<Drilled, readonly ActivityName[]> = {
  trainer: ['train', 'evaluate'],
  worker: activityNames,
  Temporal: activityNames,
  MLflow: ['startTracking', 'train', 'finishTracking'],
  'all at once': activityNames,
};
const reasons: Partial<Record<Drilled, string>> = {
  trainer: 'no trainer process is running',
  MLflow: 'nothing is sent to it',
};

/** The point at which an activity is held until the kill. The trainer is held while it works, training halfway through. */
function pointOf(activity: ActivityName, victim: Drilled): string {
  if (activity === 'train') return 'train step 7';
  return activity === 'evaluate' && victim === 'trainer' ? 'weights loaded' : `activity ${activity}`;
}

let stack: LocalStack;
let mlflow: MlflowClient;
let undisturbed: Outcome;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
  const begun = performance.now();
  const run = new DrilledRun('undisturbed');
  await run.start();
  undisturbed = await outcomeOf(run.id, await run.result());
  await end(run.worker, 'SIGKILL');
  printLine(`nothing killed: .nemo ${short(undisturbed.nemo)}, ${seconds(begun)}`);
}, 360_000);
afterAll(() => stack.stop());

/** A run with its own worker, fault file and state folder, so that nothing is reused from another run. */
class DrilledRun {
  readonly id: string;
  readonly #home: string;
  readonly #faults: string;
  worker!: ChildProcess;
  handle!: WorkflowHandle;

  constructor(id: string) {
    this.id = id;
    this.#home = join(stack.home, id);
    this.#faults = join(stack.home, `${id}.faults`);
  }

  async start(): Promise<void> {
    await this.startWorker();
    const overrides = [
      ...tinyRun,
      'trainer.max_epochs=3',
      'trainer.limit_train_batches=5',
      'trainer.log_every_n_steps=1',
    ];
    this.handle = await stack.client.workflow.start('textClassification', {
      workflowId: this.id,
      taskQueue: defaultTaskQueue,
      args: [{ overrides }],
    });
  }

  async startWorker(): Promise<void> {
    this.worker = await stack.startWorker({ home: this.#home, env: { NAUTIL_FAULTS: this.#faults } });
  }

  hold(point: string): Promise<void> {
    return writeFile(this.#faults, `hold ${point}`);
  }

  isHeld(): Promise<void> {
    return until(async () => (await readFile(this.#faults, 'utf8')) === '');
  }

  release(): Promise<void> {
    return rm(this.#faults, { force: true });
  }

  /** The process id of the trainer that the worker has forked. */
  async trainer(): Promise<number> {
    let pid = 0;
    await until(async () => (pid = await trainerOf(this.worker)) > 0);
    return pid;
  }

  /** Polls, because a pending `result` call fails when the server is killed, although the run continues. */
  async result(): Promise<TextClassificationResult> {
    await until(async () => (await this.handle.describe().catch(() => undefined))?.status.name !== 'RUNNING', 240_000);
    return (await this.handle.result()) as TextClassificationResult;
  }

  /** Queries the workflow, and so needs a running worker. */
  async trainingFolder(): Promise<string> {
    return join(await runFolderOf({ home: this.#home }, this.handle), 'training');
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The result of a run: its archive and report, its status in MLflow, and its MLflow rows without their times. */
interface Outcome {
  nemo: string;
  report: unknown;
  rows: Record<string, [step: number, value: number][]>;
  status: string;
}

async function outcomeOf(id: string, { nemo, report }: TextClassificationResult): Promise<Outcome> {
  const { info } = await onlyRunOf(mlflow, id);
  const rows: Outcome['rows'] = {};
  for (const key of ['train/loss', 'val/loss', 'val/f1_macro']) {
    const history = await metricHistory(mlflow, info.runId, key);
    rows[key] = history.map(({ step, value }): [number, number] => [step, value]).sort(([a], [b]) => a - b);
  }
  return { nemo: nemo.sha256, report, rows, status: info.status };
}

const killsMlflow = (victim: Drilled, activity: ActivityName): boolean =>
  (victim === 'MLflow' || victim === 'all at once') && takesPart.MLflow.includes(activity);

const isTracked = (id: string): Promise<boolean> =>
  onlyRunOf(mlflow, id).then(
    () => true,
    () => false,
  );

const seconds = (begun: number): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`;

test('an undisturbed run finishes, with each step once in MLflow', () => {
  expect(undisturbed.status).toBe('FINISHED');
  expect(undisturbed.rows['train/loss']!.map(([step]) => step)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
});

test.each(Object.keys(takesPart) as Drilled[])('%s, killed in each activity', async (victim) => {
  const begun = performance.now();
  const run = new DrilledRun(`killed-${victim.replaceAll(' ', '-')}`);
  const drilled = takesPart[victim];
  await run.hold(pointOf(drilled[0]!, victim));
  await run.start();
  for (const [i, activity] of drilled.entries()) {
    await run.isHeld();
    // MLflow starts more slowly than a run gets from one activity to the next, and would never be up.
    if (killsMlflow(victim, activity) && activity !== 'startTracking') await until(() => isTracked(run.id));
    const killedAt = performance.now();
    const restart = await kill(run, victim, activity);
    await run.release();
    const next = drilled[i + 1];
    if (next) await run.hold(pointOf(next, victim));
    await restart();
    printLine(`${victim} killed in ${activity}: back after ${seconds(killedAt)}`);
  }
  const outcome = await outcomeOf(run.id, await run.result());
  await end(run.worker, 'SIGKILL');
  const left = activityNames.filter((activity) => !drilled.includes(activity));
  printLine(
    `${victim} killed in ${drilled.join(', ')}: .nemo ${short(outcome.nemo)}, undisturbed ${short(undisturbed.nemo)}, ${seconds(begun)}` +
      (left.length > 0 ? `; left out: ${left.join(', ')} (${reasons[victim]})` : ''),
  );
  expect(outcome).toEqual(undisturbed);
});

/** Kills the victim; the returned function restarts what a user or a supervisor would restart. */
async function kill(run: DrilledRun, victim: Drilled, activity: ActivityName): Promise<() => Promise<void>> {
  switch (victim) {
    case 'trainer':
      process.kill(await run.trainer(), 'SIGKILL');
      return async () => {};
    case 'worker':
      await end(run.worker, 'SIGKILL');
      return () => run.startWorker();
    case 'Temporal':
    case 'MLflow':
      await stack.kill(victim);
      return () => stack.restart(victim);
    case 'all at once': {
      const servers = takesPart.MLflow.includes(activity) ? (['Temporal', 'MLflow'] as const) : (['Temporal'] as const);
      const trainer = activity === 'train' ? await run.trainer() : undefined;
      if (trainer !== undefined) process.kill(trainer, 'SIGKILL');
      await Promise.all([end(run.worker, 'SIGKILL'), ...servers.map((server) => stack.kill(server))]);
      return async () => {
        await Promise.all(servers.map((server) => stack.restart(server)));
        await run.startWorker();
      };
    }
  }
}

test('an orphaned trainer exits, and one that wakes up after another has taken over writes nothing', async () => {
  const run = new DrilledRun('orphans');
  await run.hold('train step 3');
  await run.start();
  await run.isHeld();
  const orphan = await run.trainer();
  const begun = performance.now();
  await end(run.worker, 'SIGKILL');
  await run.release();
  await until(() => !isRunning(orphan), 30_000);
  const alone = seconds(begun);

  await run.hold('train step 9');
  await run.startWorker();
  await run.isHeld();
  const stale = await run.trainer();
  process.kill(stale, 'SIGSTOP');
  await end(run.worker, 'SIGKILL');
  await run.release();
  await run.startWorker();
  const result = await run.result();
  const folder = await run.trainingFolder();
  const before = await contentsOf(folder);
  process.kill(stale, 'SIGCONT');
  await until(() => !isRunning(stale), 30_000);
  expect(await contentsOf(folder)).toEqual(before);
  expect(Object.keys(before).length).toBeGreaterThan(3);
  const outcome = await outcomeOf(run.id, result);
  await end(run.worker, 'SIGKILL');
  printLine(
    `a trainer whose worker was killed in train step 3 exited within ${alone}; one stopped in train step 9 and woken after another had finished wrote nothing: .nemo ${short(outcome.nemo)}, undisturbed ${short(undisturbed.nemo)}`,
  );
  expect(outcome).toEqual(undisturbed);
});

/** Digest of each file in a folder. */
async function contentsOf(folder: string): Promise<Record<string, string>> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const digests: Record<string, string> = {};
  for (const file of files.filter((entry) => entry.isFile())) {
    const path = join(file.parentPath, file.name);
    digests[path] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  }
  return digests;
}

test('a worker that gets SIGTERM saves a checkpoint, and the next worker continues from it', async () => {
  const run = new DrilledRun('sigterm');
  await run.hold('train step 7');
  await run.start();
  await run.isHeld();
  const folder = await run.trainingFolder();
  const begun = performance.now();
  const ended = end(run.worker, 'SIGTERM');
  await sleep(1000); // SIGTERM reaches the trainer while it is busy
  await run.release();
  await ended;
  const took = seconds(begun);
  expect(run.worker.exitCode).toBe(0);
  const checkpoints = await readdir(join(folder, 'checkpoints'));
  expect(checkpoints).toContain('step-00000007.safetensors');
  await run.startWorker();
  const outcome = await outcomeOf(run.id, await run.result());
  await end(run.worker, 'SIGKILL');
  printLine(
    `worker got SIGTERM in train step 7: exited after ${took} with ${checkpoints.join(', ')}; .nemo ${short(outcome.nemo)}, undisturbed ${short(undisturbed.nemo)}`,
  );
  expect(outcome).toEqual(undisturbed);
});
