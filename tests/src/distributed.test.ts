import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { type Progress, progressQuery, type TextClassificationResult } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { printLine, short, trainerOf } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';
import { programEnvironment } from './testing/program-environment.js';
import { filesWith, historyOf } from './testing/stored-texts.js';

// Several processes train one run, with a real Temporal server, real workers, and TensorFlow's gRPC servers.
// `nx run tests:distributed:long` repeats the kills at more steps.

const isLong = process.env['DISTRIBUTED'] === 'long';
const size = 3;

/** Steps at which a trainer is killed, and at which another one is frozen. */
const disturbances = isLong ? [3, 6, 9, 12, 15, 18, 21, 24] : [4, 8];
const epochs = isLong ? 6 : 3;

const groupRun = [
  ...tinyRun,
  `trainer.num_nodes=${size}`,
  'trainer.log_every_n_steps=1',
  `trainer.max_epochs=${epochs}`,
  'trainer.limit_train_batches=5',
  'nautil.checkpoint_every_n_steps=2',
  'nautil.intra_op_threads=1',
  'nautil.group.join_timeout_s=120',
  'nautil.group.step_timeout_s=20',
  'model.nemo_path=null',
];

let stack: LocalStack;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: false });
}, 240_000);
afterAll(() => stack.stop());

const folder = (name: string): string => mkdtempSync(join(stack.home, `${name}-`));

const start = (workflowId: string, overrides: string[]): Promise<WorkflowHandle> =>
  stack.client.workflow.start('textClassification', { workflowId, taskQueue: workflowId, args: [{ overrides }] });

const resultOf = async (handle: WorkflowHandle) => (await handle.result()) as TextClassificationResult;

const notesOf = async (handle: WorkflowHandle): Promise<string[]> =>
  (await handle.query<Progress>(progressQuery)).notes;

/** Three processes that load TensorFlow at once on two busy cores block for longer than the drills' usual time-out. */
const patience = { NAUTIL_HEARTBEAT_TIMEOUT_MS: '30000' };

/** A worker that trains, with its own file of faults. */
class TrainingWorker {
  readonly process: ChildProcess;
  readonly #faults: string;

  private constructor(worker: ChildProcess, faults: string) {
    this.process = worker;
    this.#faults = faults;
  }

  static async start(
    name: string,
    o: { queue: string; home?: string; env?: Record<string, string> },
  ): Promise<TrainingWorker> {
    const faults = join(stack.home, `${name}.faults`);
    const worker = await stack.startWorker({
      args: ['--role', 'gpu', '--task-queue', o.queue],
      env: { NAUTIL_FAULTS: faults, ...patience, ...o.env },
      ...(o.home === undefined ? {} : { home: o.home }),
    });
    return new TrainingWorker(worker, faults);
  }

  /** Holds the worker's trainer before a step, until `disturb`. */
  hold(step: number): void {
    writeFileSync(this.#faults, `hold train step ${step}`);
  }

  /** Waits until the trainer is held, and sends it a signal. Returns its process id. */
  async disturb(signal: 'SIGKILL' | 'SIGSTOP'): Promise<number> {
    await until(async () => (await readFile(this.#faults, 'utf8')) === '');
    const pid = await trainerOf(this.process);
    process.kill(pid, signal);
    await rm(this.#faults, { force: true });
    return pid;
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const workersOn = (queue: string, o: { homes?: string[]; env?: Record<string, string> } = {}) =>
  Promise.all(
    Array.from({ length: size }, (_, index) => {
      const home = o.homes?.[index];
      return TrainingWorker.start(`${queue}-${index}`, { queue, env: o.env ?? {}, ...(home && { home }) });
    }),
  );

test(
  'a group whose members are killed and frozen ends with the bytes of an undisturbed one, on other machines, too',
  async () => {
    const begun = performance.now();
    // One state folder.
    const cpu = await stack.startWorker({ env: patience, args: ['--role', 'cpu', '--task-queue', 'together'] });
    const shared = await workersOn('together');
    const undisturbed = await resultOf(await start('together', groupRun));
    for (const { process: worker } of shared) await end(worker, 'SIGTERM');
    await end(cpu, 'SIGTERM');
    printLine(`undisturbed: .nemo ${short(undisturbed.nemo.sha256)}, ${seconds(begun)}`);

    // Each worker has its own, as on machines without a common disk.
    const env = { NAUTIL_ARTIFACTS: folder('artifacts'), ...patience };
    const home = folder('cpu');
    await stack.startWorker({ env, home, args: ['--role', 'cpu', '--task-queue', 'apart'] });
    const workers = await workersOn('apart', { env, homes: [folder('one'), folder('two'), folder('three')] });
    const handle = await start('apart', groupRun);
    const frozen: number[] = [];
    for (const [index, step] of disturbances.entries()) {
      const worker = workers[index % size]!;
      const signal = index % 2 === 0 ? 'SIGKILL' : 'SIGSTOP';
      worker.hold(step);
      const pid = await worker.disturb(signal);
      if (signal === 'SIGSTOP') frozen.push(pid);
      printLine(`trainer of worker ${index % size} in step ${step}: ${signal}, after ${seconds(begun)}`);
    }
    const result = await resultOf(handle);
    const notes = (await notesOf(handle)).filter((note) => note.includes('start again'));
    printLine(`disturbed: .nemo ${short(result.nemo.sha256)}, ${seconds(begun)}; ${notes.join('; ')}`);
    expect(result.nemo.sha256).toBe(undisturbed.nemo.sha256);
    expect(notes.length).toBeGreaterThanOrEqual(1);
    // Each worker ends its frozen trainer, which would hold its place forever.
    for (const pid of frozen) await until(() => !isRunning(pid), 60_000);
    // The results are where the run was prepared.
    expect(result.nemo.path.startsWith(home)).toBe(true);
    expect((await stat(result.nemo.path)).size).toBe(result.nemo.sizeBytes);
  },
  isLong ? 1_200_000 : 420_000,
);

const seconds = (begun: number): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`;

test('a group for which there are too few workers fails, and lists the members without one', async () => {
  await stack.startWorker({ args: ['--task-queue', 'alone'] });
  const overrides = [...groupRun, 'trainer.num_nodes=2', 'nautil.group.join_timeout_s=5'];
  const failure = await (await start('alone', overrides)).result().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  const { type, message } = (failure as WorkflowFailedError).cause as unknown as { type: string; message: string };
  expect(type).toBe('MembersMissing');
  expect(message).toMatch(
    /member [01] of 2 \(counted from 0\) found no worker on the task queue alone-gpu\S* within 5 s/,
  );
}, 120_000);

describe('with NAUTIL_GROUP_SECRET', () => {
  const secret = randomBytes(32).toString('hex');
  const pair = [...groupRun, 'trainer.num_nodes=2', 'trainer.max_epochs=1', 'trainer.limit_train_batches=2'];

  test('workers that have it train together, and store it nowhere', async () => {
    let output = '';
    const worker = await stack.startWorker({
      args: ['--task-queue', 'signed', '--trainings', '2'],
      env: { NAUTIL_GROUP_SECRET: secret, ...patience },
    });
    for (const stream of [worker.stdout, worker.stderr]) stream?.on('data', (text: string) => (output += text));
    const handle = await start('signed', pair);
    await resultOf(handle);
    const history = await historyOf(handle);
    expect(history).toMatch(/\\"signature\\":\\"[0-9a-f]{64}/);
    expect(history).not.toContain(secret);
    expect(output).not.toContain(secret);
    expect(filesWith(secret, stack.home)).toEqual([]);
    await end(worker, 'SIGTERM');
  }, 120_000);

  test('a worker without it is refused by name', async () => {
    const env = { NAUTIL_GROUP_SECRET: secret, ...patience };
    await stack.startWorker({ args: ['--role', 'cpu', '--task-queue', 'unsigned'], env });
    await TrainingWorker.start('signs', { queue: 'unsigned', env });
    await TrainingWorker.start('does-not', { queue: 'unsigned' });
    const failure = await (await start('unsigned', pair)).result().catch((error: unknown) => error);
    expect((failure as WorkflowFailedError).cause).toMatchObject({
      type: 'MemberNotVerified',
      message: expect.stringMatching(
        /member [01] \(\S+:\d+\) (signs its address, but this|does not sign its address: its) worker has no NAUTIL_GROUP_SECRET/,
      ),
    });
  }, 120_000);
});

/** Runs `nautil train` as one process of a group, as torchrun or a user would start it. */
function trainDirectly(cwd: string, variables: Record<string, string>, overrides: string[]) {
  const child = spawn(process.execPath, [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), 'train', ...overrides], {
    env: {
      ...process.env,
      ...programEnvironment(join(stack.home, 'direct')),
      INIT_CWD: cwd,
      MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', // the discard port, where nothing listens
      ...variables,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise<{ exitCode: number | null; output: string }>((resolve) =>
    child.on('close', (exitCode) => resolve({ exitCode, output })),
  );
}

test('two processes with torchrun’s variables train directly, and the first alone packages the model', async () => {
  const port = await freePort();
  const cwd = folder('torchrun');
  const overrides = [
    ...tinyRun.filter((override) => !override.startsWith('exp_manager.')),
    ...['trainer.num_nodes=2', 'trainer.max_epochs=1', 'trainer.limit_train_batches=4', 'model.nemo_path=model.nemo'],
    ...['nautil.group.join_timeout_s=100', 'nautil.group.step_timeout_s=30'],
  ];
  const variablesOf = (rank: number) => ({
    ...{ RANK: String(rank), WORLD_SIZE: '2', LOCAL_WORLD_SIZE: '2' },
    ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) },
  });
  const [first, second] = await Promise.all([0, 1].map((rank) => trainDirectly(cwd, variablesOf(rank), overrides)));
  expect({ exitCode: first!.exitCode, output: first!.output }).toMatchObject({ exitCode: 0 });
  expect({ exitCode: second!.exitCode, output: second!.output }).toMatchObject({ exitCode: 0 });
  expect(first!.output).toMatch(/model {5}.*model\.nemo/);
  expect(second!.output).toContain('member 1 of 2 (counted from 0) has trained: 4 steps, completed');
  expect(second!.output).not.toMatch(/(evaluate|package) …/);
  expect((await stat(join(cwd, 'model.nemo'))).size).toBeGreaterThan(0);
}, 240_000);

test('a process whose environment contradicts the configuration fails at once, by name', async () => {
  const variables = { RANK: '0', WORLD_SIZE: '3', LOCAL_WORLD_SIZE: '3', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '1' };
  const { exitCode, output } = await trainDirectly(folder('contradiction'), variables, [
    ...tinyRun,
    'trainer.num_nodes=2',
  ]);
  expect(output).toContain('WORLD_SIZE is 3, but trainer.num_nodes is 2');
  expect(output).not.toMatch(/^ +at /m);
  expect(exitCode).toBe(2);
}, 60_000);

test('a process that waits in vain for the others names them', async () => {
  const port = await freePort();
  const variables = {
    RANK: '0',
    WORLD_SIZE: '2',
    LOCAL_WORLD_SIZE: '2',
    MASTER_ADDR: '127.0.0.1',
    MASTER_PORT: `${port}`,
  };
  const { exitCode, output } = await trainDirectly(folder('vain'), variables, [
    ...tinyRun,
    ...['trainer.num_nodes=2', 'trainer.max_epochs=1', 'nautil.group.join_timeout_s=3'],
  ]);
  expect(output).toContain(
    `member 1 (127.0.0.1:${port + 1}) did not answer member 0 (127.0.0.1:${port}) within 3 s: the training needs all 2 members`,
  );
  expect(output).not.toMatch(/^ +at /m);
  expect(exitCode).toBe(4);
}, 120_000);
