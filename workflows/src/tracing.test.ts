import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import type { ResolvedRun } from '@nautil/contracts';
import { stubActivities } from '../test/stub-activities.js';
import { bundleWorkflows, TestStack } from '../test/test-stack.js';
import { until } from '../test/until.js';
import { pause, resume, runProgress } from './messages.js';

let stack: TestStack;
let plainBundle: WorkflowBundle;
const spans: { name: string; parentSpanId?: string; spanContext: { spanId: string } }[] = [];
const exporter = { export: { fn: (_info: unknown, ended: typeof spans) => void spans.push(...ended) } };

beforeAll(async () => {
  stack = await TestStack.start(Object.keys(stubActivities().activities));
  plainBundle = await bundleWorkflows();
  const workflowBundle = await bundleWorkflows({ isTraced: true });
  await stack.startWorker({ taskQueue: 'traced', workflowBundle, sinks: { exporter } });
});
afterAll(() => stack.stop());

test('a run has a span, with one for each activity below it; of the messages to it, only updates have one', async () => {
  spans.length = 0;
  let mayDownload = false;
  const download = async (request: { run: ResolvedRun }) => {
    await until(() => mayDownload);
    return stubActivities().activities.download(request);
  };
  const { activities, calls } = stubActivities({ download });
  const handle = await stack.startWorkflow({ taskQueue: 'traced', input: { runKey: 'k' }, activities });
  await handle.executeUpdate(pause.update);
  await handle.signal(resume.signal);
  await handle.query(runProgress);
  mayDownload = true;
  await handle.result();
  await until(() => spans.some(({ name }) => name === 'RunWorkflow:textClassification'));
  const root = spans.find(({ name }) => name === 'RunWorkflow:textClassification')!.spanContext.spanId;
  const scheduled = spans.filter(({ name }) => name.startsWith('StartActivity:'));
  expect(scheduled.map(({ name }) => name).sort()).toEqual(calls.map(([type]) => `StartActivity:${type}`).sort());
  expect(new Set(scheduled.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([root]));
  const rest = spans.filter(({ name }) => !name.startsWith('StartActivity:')).map(({ name }) => name);
  expect(rest.sort()).toEqual(['HandleUpdate:pause', 'RunWorkflow:textClassification']);
});

test('a run that began on a worker that traces continues on one that does not', async () => {
  const { activities } = stubActivities();
  const handle = await stack.startWorkflow({ taskQueue: 'traced', input: { runKey: 'k' }, activities });
  await handle.result();
  await Worker.runReplayHistory({ workflowBundle: plainBundle }, await handle.fetchHistory());
});
