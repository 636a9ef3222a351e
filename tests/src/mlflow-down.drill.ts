import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultTaskQueue, type Progress, progressQuery, type TextClassificationResult } from '@nautil/contracts';
import { MlflowClient } from '@nautil/mlflow';
import { artifactPaths, metricHistory } from '@nautil/mlflow/testing/read-server';
import { SlowProxy } from '@nautil/mlflow/testing/slow-proxy';
import { type ServerHandle, startMlflowServer } from '@nautil/stack';
import { packageRoot } from '@nautil/store/folders';
import { freePort, isPortFree } from '@nautil/store/process';
import { keptSteps, nautil, onlyRunOf, printLine, runFolderOf, short } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

// MLflow is down or slow while a real worker trains: the result is unchanged, and MLflow gets each row and artifact once.

let stack: LocalStack;
let worker: { process: ChildProcess; trackingUri: string } | undefined;
let port: number;
let server: ServerHandle | undefined;
let proxy: SlowProxy | undefined;
let undisturbed: TextClassificationResult;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: false });
  port = await freePort();
  undisturbed = await resultOf(await start('undisturbed'));
}, 240_000);
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});
afterAll(async () => {
  await stack.stop();
  await server?.stop();
});

const address = (): string => `http://127.0.0.1:${port}`;
async function startServer(): Promise<void> {
  if (server) return;
  await until(() => isPortFree(port));
  server = await startMlflowServer({ folder: join(stack.home, 'mlflow'), port });
}

async function killServer(): Promise<void> {
  server?.kill();
  await server?.stop();
  server = undefined;
}

/** Starts a run on a worker that uses MLflow at this address. */
async function start(workflowId: string, trackingUri = address()): Promise<WorkflowHandle> {
  if (worker?.trackingUri !== trackingUri) {
    if (worker) await end(worker.process, 'SIGKILL');
    worker = { process: await stack.startWorker({ env: { MLFLOW_TRACKING_URI: trackingUri } }), trackingUri };
  }
  return stack.client.workflow.start('textClassification', {
    workflowId,
    taskQueue: defaultTaskQueue,
    args: [{ overrides: [...tinyRun, 'model.optim.lr=1e-3', 'trainer.max_epochs=2', 'model.nemo_path=null'] }],
  });
}

const resultOf = (handle: WorkflowHandle): Promise<TextClassificationResult> =>
  handle.result() as Promise<TextClassificationResult>;
const progressOf = (handle: WorkflowHandle): Promise<Progress> => handle.query<Progress>(progressQuery);
const sync = (trackingUri = address()) =>
  nautil({ home: stack.home, temporalAddress: stack.temporalAddress, mlflowUri: trackingUri }, [
    'runs',
    'sync',
    '--tracking-uri',
    trackingUri,
  ]);

/** Expects a complete run in MLflow: each row once with its original time, all artifacts, and the final status. */
async function expectWhole(handle: WorkflowHandle): Promise<void> {
  const mlflow = new MlflowClient({ trackingUri: address() });
  const { info } = await onlyRunOf(mlflow, handle.workflowId);
  expect(info.status).toBe('FINISHED');
  const rows = await metricHistory(mlflow, info.runId, 'train/loss');
  const kept = await keptSteps(await runFolderOf(stack, handle));
  const byStep = rows.sort((a, b) => a.step - b.step).map(({ step, value, timestampMs }) => [step, value, timestampMs]);
  expect(byStep).toEqual(kept.map(({ step, loss, timestampMs }) => [step, loss, timestampMs]));
  const artifacts = await artifactPaths(mlflow, info.runId);
  expect(artifacts).toEqual(expect.arrayContaining(['config/', 'model/', 'report/']));
}

/** The time from the first step of a training to the last. */
async function trainingMs(handle: WorkflowHandle): Promise<number> {
  const steps = await keptSteps(await runFolderOf(stack, handle));
  return steps.at(-1)!.timestampMs - steps[0]!.timestampMs;
}

test('down from the start: the run completes, and a sync that is killed and repeated sends everything once', async () => {
  await killServer();
  const handle = await start('before');
  const { nemo, mlflowRunId } = await resultOf(handle);
  expect(nemo.sha256).toBe(undisturbed.nemo.sha256);
  expect(mlflowRunId).toBeUndefined();
  const { exitCode, stderr } = await sync();
  expect(exitCode).toBe(4);
  expect(stderr).toContain(address());

  await startServer();
  proxy = await SlowProxy.start(address(), 200);
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const killed = spawn(process.execPath, [program, 'runs', 'sync', '--tracking-uri', proxy.address], {
    env: { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: stack.home },
    stdio: 'ignore',
  });
  await until(() => proxy!.answered >= 4);
  await end(killed, 'SIGKILL');
  const { answered } = proxy;
  expect(killed.signalCode).toBe('SIGKILL');
  expect((await sync(proxy.address)).stdout).toContain('sent');
  await expectWhole(handle);
  expect((await sync()).stdout).toContain('nothing to send');
  expect(proxy.mostAtOnce).toBeLessThanOrEqual(2);
  printLine(
    `MLflow down from the start: ${short(nemo.sha256)}; sync killed after ${answered} responses and repeated: all once`,
  );
});

test.each([
  ['during training', ({ training }: Progress) => (training?.step ?? 0) >= 7],
  ['at the end', ({ stages }: Progress) => stages[5]!.state !== 'waiting'],
])('killed -9 %s: the archive has the same bytes, and a sync sends the rest', async (when, hasReachedIt) => {
  await startServer();
  const handle = await start(`killed ${when}`);
  await until(async () => hasReachedIt(await progressOf(handle)));
  await killServer();
  const { nemo } = await resultOf(handle);
  expect(nemo.sha256).toBe(undisturbed.nemo.sha256);
  expect((await sync()).exitCode).toBe(4);
  await startServer();
  expect((await sync()).exitCode).toBe(0);
  await expectWhole(handle);
  printLine(`MLflow killed -9 ${when}: ${short(nemo.sha256)} = ${short(undisturbed.nemo.sha256)}; synced, all once`);
});

test('a slow server does not delay training: at most two requests are in flight, and all rows arrive', async () => {
  await startServer();
  proxy = await SlowProxy.start(address(), 700);
  const handle = await start('slow', proxy.address);
  const { nemo } = await resultOf(handle);
  expect(nemo.sha256).toBe(undisturbed.nemo.sha256);
  expect(proxy.mostAtOnce).toBeLessThanOrEqual(2);
  await expectWhole(handle);
  const [slow, before] = [await trainingMs(handle), await trainingMs(stack.client.workflow.getHandle('undisturbed'))];
  printLine(
    `MLflow responds after 700 ms: trained in ${slow} ms (without a server ${before}), ${proxy.mostAtOnce} at once`,
  );
});

test('a hanging server does not block the run, which completes before the first response', async () => {
  await startServer();
  proxy = await SlowProxy.start(address(), 600_000);
  const begun = Date.now();
  const handle = await start('hanging', proxy.address);
  const { nemo } = await resultOf(handle);
  expect(nemo.sha256).toBe(undisturbed.nemo.sha256);
  expect(proxy.answered).toBe(0);
  expect((await sync()).exitCode).toBe(0);
  await expectWhole(handle);
  printLine(
    `MLflow hangs: done after ${Math.round((Date.now() - begun) / 1000)} s, ${short(nemo.sha256)}; synced, all once`,
  );
});
