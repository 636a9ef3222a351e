import { networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import { sourceTowards } from './source-towards.js';

test('connections to any address in 127.0.0.0/8 come from 127.0.0.1', async () => {
  expect(await sourceTowards('127.0.0.1')).toBe('127.0.0.1');
  expect(await sourceTowards('127.0.1.1')).toBe('127.0.0.1');
});

test('connections to an address of this machine come from that address', async () => {
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  for (const { address } of own.filter(({ scopeid }) => (scopeid ?? 0) === 0))
    expect(await sourceTowards(address)).toBe(address);
});

test('there is no source for an address without a route', async () => {
  expect(await sourceTowards('255.255.255.255')).toBeUndefined();
});
