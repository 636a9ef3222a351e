import { afterEach, expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { memberAddresses } from './member-address.js';

const variables = ['NAUTIL_HOST', 'NAUTIL_MEMBER_PORTS'] as const;
const removeAll = (): void => {
  for (const name of variables) Reflect.deleteProperty(process.env, name);
};
afterEach(removeAll);

const reserveWith = (set: Partial<Record<(typeof variables)[number], string>>) => {
  removeAll();
  Object.assign(process.env, set);
  return memberAddresses('127.0.0.1:7233')();
};

async function addressWith(set: Parameters<typeof reserveWith>[0]): Promise<string> {
  const { address, release } = await reserveWith(set);
  await release();
  return address;
}

test('by default, a member listens at the address that its machine has on the way to Temporal', async () => {
  expect(await addressWith({})).toMatch(/^127\.0\.0\.1:\d+$/);
  const { address, release } = await memberAddresses('localhost:7233')();
  await release();
  expect(address).toMatch(/^(127\.0\.0\.1|\[::1\]):\d+$/);
});

test('NAUTIL_HOST names the host, and an IPv6 address gets brackets', async () => {
  expect(await addressWith({ NAUTIL_HOST: 'gpu-1.example.org' })).toMatch(/^gpu-1\.example\.org:\d+$/);
  expect(await addressWith({ NAUTIL_HOST: 'fd00::1' })).toMatch(/^\[fd00::1\]:\d+$/);
});

test('NAUTIL_MEMBER_PORTS limits the ports, of which no two members get the same until it is released', async () => {
  const first = await freePort();
  const range = { NAUTIL_MEMBER_PORTS: `${first}-${first + 1}` };
  const one = await reserveWith(range);
  const two = await reserveWith(range);
  expect([one.address, two.address]).toEqual([`127.0.0.1:${first}`, `127.0.0.1:${first + 1}`]);
  await expect(reserveWith(range)).rejects.toMatchObject({ name: 'NoFreePort', retryable: true });
  await one.release();
  expect(await addressWith({ NAUTIL_MEMBER_PORTS: String(first) })).toBe(one.address);
  await two.release();
});

test.each([
  [{ NAUTIL_HOST: 'http://gpu-1' }, /NAUTIL_HOST=http/],
  [{ NAUTIL_HOST: 'gpu-1:2222' }, /NAUTIL_HOST=gpu-1:2222/],
  [{ NAUTIL_HOST: '0.0.0.0' }, /NAUTIL_HOST=0.0.0.0/],
  [{ NAUTIL_HOST: '::' }, /NAUTIL_HOST=::/],
  [{ NAUTIL_HOST: 'fe80::1%eth0' }, /NAUTIL_HOST=fe80::1%eth0/],
  [{ NAUTIL_HOST: '-gpu' }, /NAUTIL_HOST=-gpu/],
  [{ NAUTIL_MEMBER_PORTS: 'any' }, /NAUTIL_MEMBER_PORTS=any/],
  [{ NAUTIL_MEMBER_PORTS: '80-90' }, /NAUTIL_MEMBER_PORTS=80-90/],
  [{ NAUTIL_MEMBER_PORTS: '3000-2000' }, /NAUTIL_MEMBER_PORTS=3000-2000/],
  [{ NAUTIL_MEMBER_PORTS: '60000-70000' }, /NAUTIL_MEMBER_PORTS=60000-70000/],
])('%j is an error of the worker that names the variable', (set, message) => {
  expect(() => reserveWith(set)).toThrow(
    expect.objectContaining({ kind: 'usage', message: expect.stringMatching(message) }),
  );
});
