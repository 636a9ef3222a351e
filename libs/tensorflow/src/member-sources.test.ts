import { networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import { testIf } from '@nautil/testing';
import { admittedSources, refusedSources } from './member-sources.js';

test('a member whose name stands for 127.0.1.1 on its own machine connects to itself from 127.0.0.1', async () => {
  expect(await admittedSources(['127.0.1.1:1', '192.0.2.1:1'])).toEqual(
    expect.arrayContaining(['127.0.1.1', '127.0.0.1', '::1', '192.0.2.1']),
  );
});

test('an address that is none, or a name without an IP address, is an error that names it', async () => {
  await expect(admittedSources(['127.0.0.1:99999'])).rejects.toThrow('127.0.0.1:99999, the address of a member');
  await expect(admittedSources(['nowhere.invalid:1'])).rejects.toThrow('nowhere.invalid, which a member of the group');
});

// An address beside this machine's own, to which it connects from its own.
const own = Object.values(networkInterfaces())
  .flatMap((addresses = []) => addresses)
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const neighbour = own?.replace(/\d+$/, (last) => String(Number(last) ^ 1));

testIf(
  own !== undefined,
  'this machine has no network',
  'a member is told which others drop its packets, and from which address they come',
  async () => {
    const members = ['192.0.2.1:1', `${neighbour}:2`];
    expect(await refusedSources({ members, index: 0 }, [`${neighbour}:2`])).toEqual([
      { address: `${neighbour}:2`, source: own },
    ]);
    const listed = [`${own}:1`, `${neighbour}:2`];
    expect(await refusedSources({ members: listed, index: 0 }, [`${neighbour}:2`])).toEqual([]);
  },
);

test('nothing is said of a member whose own name stands for a loopback address', async () => {
  expect(
    await refusedSources({ members: ['127.0.1.1:1', `${neighbour ?? '192.0.2.1'}:2`], index: 0 }, ['192.0.2.1:2']),
  ).toEqual([]);
});
