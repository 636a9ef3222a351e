import { expect, test } from '@jest/globals';
import type { MemberPlaced, Placement } from '@nautil/contracts';
import { type GroupChannel, joinGroup } from './join-group.js';

const run = { workflowId: 'run', group: { size: 2, joinTimeoutS: 300, stepTimeoutS: 120 } };
const place = { index: 1, token: 'third start' };
const members = ['a:1', 'b:2'];

/** A workflow that answers one query after another, and the waits between them. An Error is thrown. */
function channelOf(answers: (Placement | Error)[], signals: (Error | undefined)[] = []) {
  const seen = { placed: [] as MemberPlaced[], waits: [] as unknown[], released: 0 };
  const given = <T>(answer: T | Error): T => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const controller = new AbortController();
  const channel: GroupChannel = {
    reserveAddress: async () => ({ address: 'b:2', release: async () => void (seen.released += 1) }),
    signalPlaced: async (_, placed) => {
      seen.placed.push(placed);
      given(signals.shift());
    },
    queryPlacement: async () => {
      const answer = answers.shift();
      // The member is cancelled when there are no more answers.
      if (answers.length === 0 && answer instanceof Error) controller.abort(new Error('cancelled'));
      return given(answer ?? {});
    },
  };
  const joined = joinGroup(run, place, {
    ...channel,
    signal: controller.signal,
    sleep: (async (ms: unknown) => {
      controller.signal.throwIfAborted();
      seen.waits.push(ms);
    }) as never,
  });
  return { joined, seen };
}

test('a member reports its address, waits until all have one, and frees its port for the trainer', async () => {
  const { token } = place;
  const { joined, seen } = channelOf([{ token }, { token }, { token, members }]);
  expect(await joined).toEqual({ members, index: 1, joinTimeoutS: 300, stepTimeoutS: 120 });
  expect(seen).toEqual({ placed: [{ token, index: 1, address: 'b:2' }], waits: [500, 500], released: 1 });
});

test('a signal or a query that fails is repeated: the server or the workflow’s worker may be restarting', async () => {
  const { token } = place;
  const { joined, seen } = channelOf([new Error('unavailable'), { token, members }], [new Error('unavailable')]);
  expect((await joined).members).toEqual(members);
  expect(seen).toMatchObject({ placed: [{ index: 1 }, { index: 1 }], waits: [2000, 2000] });
});

test('a member of a group that was started again without it gives up its port', async () => {
  for (const token of ['fourth start', undefined]) {
    const { joined, seen } = channelOf([{ token: place.token }, { token }]);
    await expect(joined).rejects.toMatchObject({ name: 'GroupSuperseded', retryable: false });
    expect(seen.released).toBe(1);
  }
});

test('a cancelled member stops waiting, and gives up its port', async () => {
  const { token } = place;
  const { joined, seen } = channelOf([{ token }, new Error('unavailable')]);
  await expect(joined).rejects.toThrow('cancelled');
  expect(seen.released).toBe(1);
});
