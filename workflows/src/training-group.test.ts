import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { GroupPlace, Placement, Progress, RunActivities, TrainRequest } from '@nautil/contracts';
import { stubActivities } from '../test/stub-activities.js';
import { bundleWorkflows, TestStack } from '../test/test-stack.js';
import { failureOfRun, until } from '../test/until.js';
import { groupPlacement, memberPlaced, pause, resume, runProgress, stopEarly, trainingProgress } from './messages.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.start(Object.keys(stubActivities().activities));
  const replacements = { 'retry-policies.ts': join(import.meta.dirname, '../test/few-attempts.ts') };
  await stack.startWorker({ taskQueue: 'few-attempts', workflowBundle: await bundleWorkflows({ replacements }) });
});
afterAll(() => stack.stop());

const progressOf = (handle: WorkflowHandle): Promise<Progress> => handle.query(runProgress);

/** What one activity of a group does once all members have a worker. */
type Member = (o: { place: GroupPlace; start: number; members: string[]; request: TrainRequest }) => Promise<unknown>;

interface GroupOptions {
  size?: number;
  joinTimeoutS?: number;

  /** By index; default: it completes at once. */
  member?: Member;

  /** Whether a worker takes the activity of a member. */
  isPlaced?: (place: GroupPlace, start: number) => boolean;
}

/** Activities of a run with a group of `size`, and what they have seen. */
function groupOf({ size = 3, joinTimeoutS = 60, member, isPlaced = () => true }: GroupOptions) {
  const tokens: string[] = [];
  const seen: { index: number; start: number; members: string[]; stopEarly: boolean }[] = [];
  const ended: string[] = [];
  const { activities } = stubActivities();
  const { resolveRun, train } = activities;

  const perform = async (request: TrainRequest): Promise<void> => {
    const place = request.place!;
    if (!tokens.includes(place.token)) tokens.push(place.token);
    const start = tokens.indexOf(place.token) + 1;
    const context = Context.current();
    const heartbeat = setInterval(() => context.heartbeat(), 50);
    try {
      const handle = stack.client.workflow.getHandle(context.info.workflowExecution!.workflowId);
      if (!isPlaced(place, start)) await context.cancelled;
      await handle.signal(memberPlaced, { token: place.token, index: place.index, address: `host${place.index}:1` });
      let placement: Placement = {};
      while (placement.members === undefined) {
        placement = await handle.query(groupPlacement);
        if (placement.token !== place.token) throw new Error('superseded');
        await Promise.race([context.sleep(20), context.cancelled]);
      }
      const { members } = placement;
      seen.push({ index: place.index, start, members, stopEarly: request.stopEarly });
      // A member that ended before the others have their addresses would hide what they do.
      const placed = members.filter((_, index) => isPlaced({ ...place, index }, start)).length;
      while (seen.filter((other) => other.start === start).length < placed)
        await Promise.race([context.sleep(20), context.cancelled]);
      await member?.({ place, start, members, request });
    } finally {
      clearInterval(heartbeat);
      ended.push(`${start}.${place.index}`);
    }
  };
  const group: Partial<RunActivities> = {
    resolveRun: async (request) => ({
      ...(await resolveRun(request)),
      group: { size, joinTimeoutS, stepTimeoutS: 9 },
    }),
    train: async (request) => {
      await perform(request);
      return train(request);
    },
    trainMember: async (request) => {
      await perform(request);
      return { step: 217, epoch: 0, reason: 'completed' };
    },
  };
  return { activities: { ...activities, ...group }, seen, ended, tokens };
}

const cancelled = (): Promise<never> => Context.current().cancelled;

const lost = (): never => {
  throw ApplicationFailure.create({ message: 'member 1 does not answer', type: 'MembersLost' });
};

test('every member gets the addresses of all once each has a worker, and the run completes', async () => {
  const { activities, seen, tokens } = groupOf({});
  const handle = await stack.startWorkflow({ activities });
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
  await stack.recordHistory('group', handle);
  const members = ['host0:1', 'host1:1', 'host2:1'];
  expect(seen.sort((a, b) => a.index - b.index)).toEqual(
    [0, 1, 2].map((index) => ({ index, start: 1, members, stopEarly: false })),
  );
  expect(tokens).toHaveLength(1);
  expect((await progressOf(handle)).notes).toContain('3 processes train: host0:1, host1:1, host2:1');
});

test('when a member fails, the others are cancelled and awaited, and all start again', async () => {
  const { activities, seen, ended } = groupOf({
    member: async ({ place, start }) => {
      if (start > 1) return;
      if (place.index === 1) throw ApplicationFailure.create({ message: 'ended by SIGKILL', type: 'TrainerCrashed' });
      await cancelled();
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  await stack.recordHistory('group-restarted', handle);
  expect(seen.map(({ start, index }) => `${start}.${index}`).sort()).toEqual([
    '1.0',
    '1.1',
    '1.2',
    '2.0',
    '2.1',
    '2.2',
  ]);
  expect(ended.slice(0, 3).sort()).toEqual(['1.0', '1.1', '1.2']);
  expect((await progressOf(handle)).notes.join('\n')).toContain(
    'the training processes start again from the newest checkpoint (attempt 1 failed: ended by SIGKILL)',
  );
});

test('the failure of the member that ended first in fact is reported, not that of those who lost it', async () => {
  const { activities } = groupOf({
    size: 2,
    member: async ({ place, start }) => {
      if (start > 1) return;
      if (place.index === 0) lost();
      await sleep(300); // Its cancellation does not end it earlier.
      throw ApplicationFailure.create({ message: 'ended by SIGKILL', type: 'TrainerCrashed' });
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  expect((await progressOf(handle)).notes.join('\n')).toContain('attempt 1 failed: ended by SIGKILL');
});

test('a failure that no retry cures ends the run, although the others fail with one that a retry might cure', async () => {
  const { activities, tokens } = groupOf({
    member: async ({ place }) => {
      if (place.index !== 2) {
        await cancelled().catch(lost);
        return;
      }
      throw ApplicationFailure.create({
        message: 'member 2 has other data',
        type: 'MembersDiffer',
        nonRetryable: true,
      });
    },
  });
  const handle = await stack.startWorkflow({ activities });
  expect(await failureOfRun(handle)).toMatchObject({
    type: 'MembersDiffer',
    message: 'train: member 2 has other data',
  });
  expect(tokens).toHaveLength(1);
});

test('a member whose heartbeats stop is given up, and all start again', async () => {
  const { activities, tokens } = groupOf({
    size: 2,
    member: async ({ place, start }) => {
      if (start > 1) return;
      if (place.index === 0) return cancelled();
      Object.assign(Context.current(), { heartbeat: () => undefined }); // frozen
      await new Promise((resolve) => setTimeout(resolve, 4000));
    },
  });
  const { resolveRun } = activities;
  activities.resolveRun = async (request) => ({ ...(await resolveRun(request)), heartbeatTimeoutMs: 1500 });
  const handle = await stack.startWorkflow({ activities });
  await handle.result();
  expect(tokens).toHaveLength(2);
  expect((await progressOf(handle)).notes.join('\n')).toContain('start again from the newest checkpoint');
}, 30_000);

test('members that find no worker in time are listed, and the others give up their workers', async () => {
  const { activities, ended } = groupOf({ joinTimeoutS: 1, isPlaced: ({ index }) => index === 0 });
  const handle = await stack.startWorkflow({ activities });
  expect(await failureOfRun(handle)).toMatchObject({
    type: 'MembersMissing',
    message: expect.stringMatching(
      /^member 1 and 2 of 3 \(counted from 0\) found no worker on the task queue test within 1 s\ntrainer\.num_nodes=3 takes 3 places/,
    ),
    details: [{ kind: 'environment', hint: expect.stringContaining('--role gpu') }],
  });
  expect(ended.sort()).toEqual(['1.0', '1.1', '1.2']);
});

test('members with a worker give up their places for a moment, so that two groups do not wait for each other', async () => {
  const { activities, ended } = groupOf({ size: 2, isPlaced: ({ index }, start) => index === 0 || start > 1 });
  const handle = await stack.startWorkflow({ activities, taskQueue: 'few-attempts' });
  await handle.result();
  await stack.recordHistory('group-placed-late', handle);
  expect(ended.slice(0, 2).sort()).toEqual(['1.0', '1.1']);
  expect(ended.slice(2).sort()).toEqual(['2.0', '2.1']);
});

test('a group none of whose members has a worker waits without limit, as other runs do', async () => {
  const { activities, seen } = groupOf({ size: 2, joinTimeoutS: 1 });
  const stubs = stubActivities().activities;
  activities.resolveRun = async (request) => ({
    ...(await stubs.resolveRun(request)),
    group: { size: 2, joinTimeoutS: 1, stepTimeoutS: 9 },
    queues: { cpu: 'test', gpu: 'no-worker-yet', gpuSharesFiles: true },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'running');
  await sleep(2000);
  expect(seen).toEqual([]);
  await stack.startWorker({ taskQueue: 'no-worker-yet' });
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
}, 30_000);

test('a group that always fails ends the run when its attempts are used up', async () => {
  const { activities, tokens } = groupOf({
    size: 2,
    member: async ({ place }) => {
      if (place.index === 0) lost();
    },
  });
  const handle = await stack.startWorkflow({ activities, taskQueue: 'few-attempts' });
  expect(await failureOfRun(handle)).toMatchObject({ type: 'MembersLost' });
  expect(tokens).toHaveLength(3);
}, 30_000);

test('the attempts of a group that advances are counted from its last checkpoint', async () => {
  const { activities, tokens } = groupOf({
    size: 2,
    member: async ({ place, start, request }) => {
      if (place.index !== 0 || start > 4) return;
      const { workflowId } = request.run;
      const at = { step: start, totalSteps: 99, epoch: 0, loss: 1, examplesPerSecond: 1, secondsLeft: 1 };
      await stack.client.workflow.getHandle(workflowId).signal(trainingProgress, { ...at, checkpointStep: start });
      lost();
    },
  });
  const handle = await stack.startWorkflow({ activities, taskQueue: 'few-attempts' });
  await handle.result();
  expect(tokens).toHaveLength(5);
  expect((await progressOf(handle)).notes.join()).toContain('advanced from step 0 to 3, so it is retried');
}, 60_000);

test('a pause ends all members at a checkpoint, and a resumed run starts all of them again', async () => {
  const { activities, seen, ended } = groupOf({
    member: async ({ start }) => {
      if (start === 1) await cancelled();
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(() => seen.length === 3);
  await handle.executeUpdate(pause.update);
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'paused');
  expect(ended).toHaveLength(3);
  await handle.executeUpdate(resume.update);
  await handle.result();
  await stack.recordHistory('group-paused', handle);
  expect(seen).toHaveLength(6);
});

test('a member that stops with the others before it hears of the pause does not fail the run', async () => {
  const { activities, seen } = groupOf({
    size: 2,
    member: async ({ place, start }) => {
      if (start > 1) return;
      if (place.index === 0) return cancelled();
      await cancelled().catch(() => undefined);
      throw ApplicationFailure.create({ message: 'stopped', type: 'MemberStopped' });
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(() => seen.length === 2);
  await handle.executeUpdate(pause.update);
  await until(async () => (await progressOf(handle)).stages[4]!.state === 'paused');
  await handle.executeUpdate(resume.update);
  await handle.result();
  expect(seen).toHaveLength(4);
});

test('stopEarly reaches every member of the next start', async () => {
  const { activities, seen } = groupOf({
    size: 2,
    member: async ({ start }) => {
      if (start === 1) await cancelled();
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(() => seen.length === 2);
  await handle.executeUpdate(stopEarly.update);
  await handle.result();
  expect(seen.map((member) => member.stopEarly)).toEqual([false, false, true, true]);
});

test('a cancelled run ends when all members have ended', async () => {
  const { activities, seen, ended } = groupOf({ member: cancelled });
  const handle = await stack.startWorkflow({ activities });
  await until(() => seen.length === 3);
  await handle.cancel();
  expect(await failureOfRun(handle)).toMatchObject({ name: 'CancelledFailure' });
  expect(ended).toHaveLength(3);
});

test('a result of member 0 ends the others, such as a training that was found in the store', async () => {
  const { activities } = groupOf({ isPlaced: ({ index }) => index !== 0 });
  const { activities: stubs } = stubActivities();
  activities.train = stubs.train;
  const handle = await stack.startWorkflow({ activities });
  expect(await handle.result()).toMatchObject({ nemo: { path: '/files/model.nemo' } });
});

test('signals of an earlier start, of a member that the group lacks, and malformed ones are ignored', async () => {
  let token = '';
  const { activities, seen } = groupOf({
    size: 2,
    isPlaced: (place) => {
      ({ token } = place);
      return place.index === 0;
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(() => token !== '');
  const valid = { token, index: 1, address: 'host1:1' };
  for (const payload of [
    { ...valid, token: 'another' },
    { ...valid, index: 2 },
    { ...valid, index: -1 },
    { ...valid, address: 'host1' },
    { ...valid, address: 'host1:1,host2:2' },
    { ...valid, address: 'a b:1' },
    { ...valid, address: '127.0.0.1:99999' },
    { ...valid, address: '[::::]:5' },
    { ...valid, address: '[%]:1' },
    { ...valid, address: '-x:70000' },
    { ...valid, signature: 'short' },
    null,
    'member 1',
  ])
    await handle.signal(memberPlaced, payload);
  expect(await handle.query(groupPlacement)).toEqual({ token });
  expect(seen).toEqual([]);
  await handle.signal(memberPlaced, valid);
  await until(() => seen.length === 1);
  expect(seen[0]!.members).toEqual(['host0:1', 'host1:1']);
  await handle.result();
});

test('the first address for a place stays, and members get the signatures that came with the addresses', async () => {
  let token = '';
  const { activities, seen } = groupOf({
    size: 2,
    isPlaced: (place) => {
      ({ token } = place);
      return place.index === 0;
    },
  });
  const handle = await stack.startWorkflow({ activities });
  await until(() => token !== '');
  const signature = 'a'.repeat(64);
  await handle.signal(memberPlaced, { token, index: 1, address: 'host1:1', signature });
  await handle.signal(memberPlaced, { token, index: 1, address: 'host9:9', signature: 'b'.repeat(64) });
  await until(() => seen.length === 1);
  const members = ['host0:1', 'host1:1'];
  expect(seen[0]!.members).toEqual(members);
  await handle.result();
  expect((await progressOf(handle)).notes.join()).toContain('2 processes train: host0:1, host1:1');
});
