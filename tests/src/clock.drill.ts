import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultTaskQueue, type TextClassificationResult } from '@nautil/contracts';
import { getRun, MlflowClient } from '@nautil/mlflow';
import { metricHistory } from '@nautil/mlflow/testing/read-server';
import { collectGarbage } from '@nautil/store/garbage';
import { testIf } from '@nautil/testing';
import { keptSteps, printLine, runFolderOf, short } from './testing/drill.js';
import { end, LocalStack, tinyRun, until } from './testing/local-stack.js';

// The clock of a worker jumps forwards and backwards by a day during a run; that of Temporal and MLflow does not.

// cspell:ignore FAKETIME
/** From Debian's package libfaketime, if it is installed. */
const library = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path));

const whySkipped = 'libfaketime is not installed';
// Jest prints nothing about a file whose tests are all skipped.
if (library === undefined) printLine(`clock: skipped, because ${whySkipped}`);

let stack: LocalStack;
let alone: TextClassificationResult;
let clock: string;
let faults: string;

beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  clock = join(stack.home, 'clock');
  faults = join(stack.home, 'faults');
  const worker = await stack.startWorker();
  alone = (await (await start('alone')).result()) as TextClassificationResult;
  await end(worker, 'SIGTERM');
}, 240_000);
afterAll(() => stack.stop());

const epochs = 12;
const [firstJump, secondJump] = [12, 30];
const start = (workflowId: string): Promise<WorkflowHandle> =>
  stack.client.workflow.start('textClassification', {
    workflowId,
    taskQueue: defaultTaskQueue,
    args: [{ overrides: [...tinyRun, `trainer.max_epochs=${epochs}`, 'model.nemo_path=null'] }],
  });

/** Sets the clock of the worker and its trainers. */
function setClock(offset: string): void {
  writeFileSync(`${clock}.new`, `${offset}\n`);
  renameSync(`${clock}.new`, clock);
}

/** Holds the training at a point, and releases it from the point before. */
const hold = (point: string): void => {
  rmSync(faults, { force: true });
  writeFileSync(faults, `hold ${point}`);
};
const isHeld = (): Promise<void> => until(() => readFileSync(faults, 'utf8') === '');
const release = (): void => rmSync(faults);

for (const { direction, before, during, after } of [
  { direction: 'forwards and back', before: '+0', during: '+1d', after: '+0' },
  { direction: 'backwards twice', before: '+1d', during: '+0', after: '-1d' },
]) {
  testIf(
    library !== undefined,
    whySkipped,
    `a run whose clock jumps ${direction}, by a day each time, ends with the same archive, and with each row of MLflow once`,
    async () => {
      const begun = performance.now();
      setClock(before);
      const worker = await stack.startWorker({
        env: {
          LD_PRELOAD: library ?? '',
          FAKETIME_TIMESTAMP_FILE: clock,
          FAKETIME_NO_CACHE: '1',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
          NO_FAKE_STAT: '1',
          NAUTIL_FAULTS: faults,
        },
      });
      hold(`train step ${firstJump}`);
      const handle = await start(`clock ${direction}`);
      await isHeld();
      setClock(during);
      hold(`train step ${secondJump}`);
      await isHeld();
      const folder = await runFolderOf(stack, handle);
      // By the clock of this process, which is right.
      const collected = await collectGarbage({
        home: stack.home,
        usedBeforeMs: Date.now(),
        reasonToKeep: async ({ workflowId }) => (workflowId === handle.workflowId ? 'its workflow is open' : undefined),
        dryRun: true,
      });
      expect(collected.removed.map(({ path }) => path)).not.toContain(folder);
      setClock(after);
      release();
      const result = (await handle.result()) as TextClassificationResult;
      await end(worker, 'SIGTERM');

      expect(result.nemo.sha256).toBe(alone.nemo.sha256);
      const mlflow = new MlflowClient({ trackingUri: stack.mlflowUri });
      const { info } = (await getRun(mlflow, result.mlflowRunId!))!;
      expect(info.status).toBe('FINISHED');
      expect(info.endTime).toBeGreaterThanOrEqual(info.startTime);
      const rows = await metricHistory(mlflow, result.mlflowRunId!, 'train/loss');
      const expected = await metricHistory(mlflow, alone.mlflowRunId!, 'train/loss');
      const values = (history: typeof rows) =>
        history.map(({ step, value }) => [step, value]).sort(([a = 0], [b = 0]) => a - b);
      expect(values(rows)).toEqual(values(expected));
      const times = (await keptSteps(folder)).map(({ timestampMs }) => timestampMs);
      const jumps = times.filter((time, i) => Math.abs(time - (times[i - 1] ?? time)) > 3_600_000).length;
      expect(jumps).toBe(2);
      const { events = [] } = await handle.fetchHistory();
      const retries = events!.filter((event) => (event.activityTaskStartedEventAttributes?.attempt ?? 1) > 1).length;
      expect(retries).toBe(0);
      printLine(
        `clock ${direction} (${before}, ${during}, ${after}): ${times.length} steps, ${jumps} jumps, ${retries} retries, ` +
          `${short(result.nemo.sha256)} in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
      );
    },
  );
}
