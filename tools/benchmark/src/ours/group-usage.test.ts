import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { groupUsage, parseStat } from './group-usage.js';

test('the fields are found after a name with spaces and parentheses', () => {
  const stat = '71 (a) b (c) S 1 70 70 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 12 0 100 900000 1000 184467';
  expect(parseStat(stat)).toEqual({ group: 70, cpuSeconds: 3, residentMb: 4.096 });
});

test('the usage of a group contains that of each of its processes', () => {
  const { group, residentMb } = parseStat(readFileSync('/proc/self/stat', 'latin1'));
  const usage = groupUsage(group);
  expect(usage.cpuSeconds).toBeGreaterThan(0);
  expect(usage.residentMb).toBeGreaterThan(residentMb / 2);
  expect(groupUsage(-5)).toEqual({ cpuSeconds: 0, residentMb: 0 });
});
