import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Progress, ResolvedRun, RunRequest, TrainRequest } from '@nautil/contracts';
import { Context } from '@temporalio/activity';
import { Orchestra } from '../test/orchestra.js';
import { stubActivities } from '../test/stub-activities.js';
import { until } from '../test/until.js';

// A server that finds a history long after 60 events, not after thousands.
const longHistory = 60;

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.assemble(Object.keys(stubActivities().activities), { longHistory });
});
afterAll(() => orchestra.dismiss());

/** A training of `epochs` epochs that tells of each, and ends with its checkpoint when it is interrupted. */
function trainingOf(epochs: number) {
  let epoch = 0;
  const requests: TrainRequest[] = [];
  const train = async (request: TrainRequest) => {
    requests.push(request);
    const context = Context.current();
    const handle = orchestra.client.workflow.getHandle(context.info.workflowExecution!.workflowId);
    while (epoch < epochs) {
      epoch++;
      context.heartbeat();
      const place = { step: epoch, totalSteps: epochs, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
      await handle.signal('training', { ...place, epoch, checkpointStep: epoch });
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

test('a run whose history gets long goes on in a new execution, from its checkpoint and as the same run', async () => {
  const { train, requests } = trainingOf(40);
  const resolved: RunRequest[] = [];
  const stubs = stubActivities({ train }).activities;
  const resolveRun = async (request: RunRequest): Promise<ResolvedRun> => {
    resolved.push(request);
    return stubs.resolveRun(request);
  };
  const handle = await orchestra.play({
    input: { runKey: 'first', from: 'train', overrides: ['trainer.max_epochs=40'] },
    activities: { ...stubs, resolveRun },
  });
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });

  const executions = await executionsOf(handle.workflowId);
  await orchestra.record('continued', orchestra.client.workflow.getHandle(handle.workflowId, executions[0]!.runId));
  expect(executions.length).toBeGreaterThan(1);
  expect(requests).toHaveLength(executions.length);
  for (const { historyLength } of executions) expect(historyLength).toBeLessThan(2 * longHistory);
  for (const request of resolved) expect(request).toEqual(resolved[0]);
  expect(resolved[0]).toMatchObject({ runKey: 'first', redo: { from: 'train', token: executions[0]!.runId } });
});

test.each([
  ['a pause lasts, and then', ['pause', 'resume'], false],
  ['early stopping is kept when', ['stopEarly'], true],
])('%s a run goes on in a new execution', async (_case, requests, stopEarly) => {
  const seen: TrainRequest[] = [];
  const stubs = stubActivities().activities;
  const train = async (request: TrainRequest) => {
    seen.push(request);
    if (seen.length > 1) return stubs.train(request);
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 50);
    await context.cancelled.catch(() => undefined);
    clearInterval(beat);
    const handle = orchestra.client.workflow.getHandle(context.info.workflowExecution!.workflowId);
    const place = { step: 1, totalSteps: 9, epoch: 1, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
    for (let event = 0; event < longHistory; event++) await handle.signal('training', place);
    return context.cancelled;
  };
  const handle = await orchestra.play({ activities: { ...stubs, train } });
  const latest = orchestra.client.workflow.getHandle(handle.workflowId);
  await until(() => seen.length === 1);
  for (const request of requests) {
    await latest.executeUpdate(request);
    if (request !== 'pause') continue;
    await until(async () => (await latest.query<Progress>('progress')).stages[4]!.state === 'paused');
    expect(await executionsOf(handle.workflowId)).toHaveLength(1);
  }
  await handle.result();
  expect(seen.map((request) => request.stopEarly)).toEqual([false, stopEarly]);
  // The list of executions follows a moment later.
  await until(async () => (await executionsOf(handle.workflowId)).length === 2);
});

async function executionsOf(workflowId: string): Promise<{ runId: string; historyLength: number }[]> {
  const found = [];
  for await (const { runId, historyLength, startTime } of orchestra.client.workflow.list({
    query: `WorkflowId = '${workflowId}'`,
  }))
    found.push({ runId, historyLength, startTime });
  return found.sort((a, b) => Number(a.startTime) - Number(b.startTime));
}
