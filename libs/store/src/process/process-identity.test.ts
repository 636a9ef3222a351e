import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { hasEnded, identityOf, pidOf, thisProcess } from './process-identity.js';

test('this process is running, and a child that has exited has ended', () => {
  expect(hasEnded(thisProcess)).toBe(false);
  expect(identityOf(process.pid)).toBe(thisProcess);
  expect(pidOf(thisProcess)).toBe(process.pid);
  expect(identityOf(spawnSync('true').pid)).toBeUndefined();
});

test('a process whose id was reused has ended', () => {
  expect(hasEnded(thisProcess.replace(/\d+$/, '1'))).toBe(true);
});

/** `machine` is the host (10), the boot (6) and the pid namespace (6). */
const [machine = '', ...rest] = thisProcess.split('-');
const elsewhere = (start: number, length: number): string =>
  [machine.slice(0, start) + '0'.repeat(length) + machine.slice(start + length), ...rest].join('-');

test.each([
  ['of another host', 0, 10, false],
  ['of another container', 16, 6, false],
  ['from before a reboot of this machine', 10, 6, true],
])('a process %s has ended: %s', (_which, start, length, ended) => {
  expect(hasEnded(elsewhere(start, length))).toBe(ended);
});
