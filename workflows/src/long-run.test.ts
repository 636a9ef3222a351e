import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import type { ResolvedRun, RunRequest, TrainRequest } from '@nautil/contracts';
import { stubActivities } from '../test/stub-activities.js';
import { TestStack } from '../test/test-stack.js';
import { until } from '../test/until.js';
import { pause, resume, runProgress, stopEarly, trainingProgress } from './messages.js';

// The server suggests to continue as new after 60 events instead of thousands.
const longHistory = 60;

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.start(Object.keys(stubActivities().activities), { longHistory });
});
afterAll(() => stack.stop());

/** A training of `epochs` epochs that reports each of them, and ends with a checkpoint when it is interrupted. */
function trainingOf(epochs: number) {
  let epoch = 0;
  const requests: TrainRequest[] = [];
  const train = async (request: TrainRequest) => {
    requests.push(request);
    const context = Context.current();
    const handle = stack.client.workflow.getHandle(context.info.workflowExecution!.workflowId);
    while (epoch < epochs) {
      epoch++;
      context.heartbeat();
      const place = { step: epoch, totalSteps: epochs, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
      await handle.signal(trainingProgress, { ...place, epoch, checkpointStep: epoch });
      await Promise.race([context.cancelled, context.sleep(30)]);
    }
    const file = { path: '/last', sha256: '0', sizeBytes: 1 };
    return {
      ...{ reused: false, detail: '', lastWeights: file, events: file },
      ...{ step: epochs, epoch: epochs, reason: 'completed' as const },
    };
  };
  return { train, requests };
}

test('a run with a long history continues in a new execution, from its checkpoint and as the same run', async () => {
  const { train, requests } = trainingOf(40);
  const resolved: RunRequest[] = [];
  const stubs = stubActivities({ train }).activities;
  const resolveRun = async (request: RunRequest): Promise<ResolvedRun> => {
    resolved.push(request);
    return stubs.resolveRun(request);
  };
  const handle = await stack.startWorkflow({
    input: { runKey: 'first', from: 'train', overrides: ['trainer.max_epochs=40'] },
    activities: { ...stubs, resolveRun },
  });
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });

  const executions = await executionsOf(handle.workflowId);
  await stack.recordHistory('continued', stack.client.workflow.getHandle(handle.workflowId, executions[0]!.runId));
  expect(executions.length).toBeGreaterThan(1);
  expect(requests).toHaveLength(executions.length);
  for (const { historyLength } of executions) expect(historyLength).toBeLessThan(2 * longHistory);
  for (const request of resolved) expect(request).toEqual(resolved[0]);
  expect(resolved[0]).toMatchObject({ runKey: 'first', redo: { from: 'train', token: executions[0]!.runId } });
});

test.each([
  ['paused and then resumed', [pause, resume], false],
  ['stopped early', [stopEarly], true],
])('a run that is %s keeps that state in a new execution', async (_case, requests, isStopped) => {
  const seen: TrainRequest[] = [];
  const stubs = stubActivities().activities;
  const train = async (request: TrainRequest) => {
    seen.push(request);
    if (seen.length > 1) return stubs.train(request);
    const context = Context.current();
    const heartbeat = setInterval(() => context.heartbeat(), 50);
    await context.cancelled.catch(() => undefined);
    clearInterval(heartbeat);
    const handle = stack.client.workflow.getHandle(context.info.workflowExecution!.workflowId);
    const place = { step: 1, totalSteps: 9, epoch: 1, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
    for (let event = 0; event < longHistory; event++) await handle.signal(trainingProgress, place);
    return context.cancelled;
  };
  const handle = await stack.startWorkflow({ activities: { ...stubs, train } });
  const latest = stack.client.workflow.getHandle(handle.workflowId);
  await until(() => seen.length === 1);
  for (const request of requests) {
    await latest.executeUpdate(request.update);
    if (request !== pause) continue;
    await until(async () => (await latest.query(runProgress)).stages[4]!.state === 'paused');
    expect(await executionsOf(handle.workflowId)).toHaveLength(1);
  }
  await handle.result();
  expect(seen.map((request) => request.stopEarly)).toEqual([false, isStopped]);
  // The server's list of executions is updated a moment later.
  await until(async () => (await executionsOf(handle.workflowId)).length === 2);
});

async function executionsOf(workflowId: string): Promise<{ runId: string; historyLength: number }[]> {
  const found = [];
  for await (const { runId, historyLength, startTime } of stack.client.workflow.list({
    query: `WorkflowId = '${workflowId}'`,
  }))
    found.push({ runId, historyLength, startTime });
  return found.sort((a, b) => Number(a.startTime) - Number(b.startTime));
}
