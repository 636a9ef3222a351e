import { expect, test } from '@jest/globals';
import type { MemberPlaced, Placement } from '@nautil/contracts';
import { type GroupChannel, joinGroup } from './join-group.js';
import { groupSecret, signMember } from './member-signature.js';

const run = { workflowId: 'run', group: { size: 2, joinTimeoutS: 300, stepTimeoutS: 120 } };
const place = { index: 1, token: 'third start' };
const members = ['a:1', 'b:2'];

/** A workflow that answers one query after another, and the waits between them. An Error is thrown. */
function channelOf(answers: (Placement | Error)[], signals: (Error | undefined)[] = [], secret?: string) {
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
    secret,
    runId: 'first',
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

test('a member whose place another address has taken fails, and the group may start again', async () => {
  const { token } = place;
  const { joined, seen } = channelOf([{ token, members: ['a:1', 'stranger:9'] }]);
  await expect(joined).rejects.toMatchObject({
    name: 'PlaceTaken',
    retryable: true,
    message: 'this worker has the place of member 1 at b:2, but stranger:9 was reported for it',
  });
  expect(seen.released).toBe(1);
});

const secret = 'of all workers of this test, 32 or more characters';
const execution = { workflowId: 'run', runId: 'first' };
const sign = (index: number, address: string, o: { token?: string; runId?: string; secret?: string } = {}): string =>
  signMember(
    { ...execution, ...(o.runId && { runId: o.runId }) },
    { token: o.token ?? place.token, index, address },
    o.secret ?? secret,
  );

test('with a secret, members sign their addresses and accept the signatures of all', async () => {
  const { token } = place;
  const signatures = [sign(0, 'a:1'), sign(1, 'b:2')];
  const { joined, seen } = channelOf([{ token, members, signatures }], [], secret);
  expect((await joined).members).toEqual(members);
  expect(seen.placed).toEqual([{ token, index: 1, address: 'b:2', signature: signatures[1] }]);
});

const other = 'another secret, also of 32 or more characters';
test.each<[string, string | undefined, (string | null)[] | undefined, RegExp]>([
  ['no member', secret, undefined, /^member 0 \(a:1\) does not sign .*; member 1 \(b:2\) does not sign/],
  ['no other worker', secret, [null, sign(1, 'b:2')], /^member 0 \(a:1\) does not sign its address: its worker has no/],
  [
    'another worker alone',
    undefined,
    [sign(0, 'a:1'), null],
    /^member 0 \(a:1\) signs .* this worker has no NAUTIL_GROUP/,
  ],
  [
    'a worker with another',
    secret,
    [sign(0, 'a:1', { secret: other }), sign(1, 'b:2')],
    /^the signature of member 0 \(a:1\)/,
  ],
  ['the worker of another place', secret, [sign(1, 'a:1'), sign(1, 'b:2')], /^the signature of member 0/],
  ['the worker of another address', secret, [sign(0, 'c:1'), sign(1, 'b:2')], /^the signature of member 0/],
  [
    'a worker in an earlier start',
    secret,
    [sign(0, 'a:1', { token: 'x' }), sign(1, 'b:2')],
    /^the signature of member 0/,
  ],
  [
    'a worker in another execution',
    secret,
    [sign(0, 'a:1', { runId: 'x' }), sign(1, 'b:2')],
    /^the signature of member 0/,
  ],
])('a member that %s has signed is refused by name', async (_, own, signatures, message) => {
  const { joined, seen } = channelOf([{ token: place.token, members, signatures }], [], own);
  await expect(joined).rejects.toMatchObject({
    name: 'MemberNotVerified',
    retryable: false,
    message: expect.stringMatching(message),
    hint: expect.stringContaining('set NAUTIL_GROUP_SECRET to the same value'),
  });
  await expect(joined).rejects.not.toMatchObject({ message: expect.stringContaining(secret) });
  expect(seen.released).toBe(1);
});

test('a secret that could be guessed is an error without the secret in it', () => {
  try {
    process.env['NAUTIL_GROUP_SECRET'] = secret;
    expect(groupSecret()).toBe(secret);
    process.env['NAUTIL_GROUP_SECRET'] = '';
    expect(groupSecret()).toBeUndefined();
    process.env['NAUTIL_GROUP_SECRET'] = 'hunter2';
    expect(groupSecret).toThrow('NAUTIL_GROUP_SECRET has 7 characters, fewer than 32');
  } finally {
    delete process.env['NAUTIL_GROUP_SECRET'];
  }
});
