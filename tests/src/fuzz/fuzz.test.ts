import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { formatFuzz, fuzz } from './fuzz.js';
import { allSeeds } from './seeds.js';

const inputs = 2000;

test('2,000 mutated files of every format are accepted or rejected with a typed error', async () => {
  // One seed, so that a change of the code is all that changes the result. `nx run tests:fuzz` draws others.
  const seed = 12;
  const report = await fuzz({ inputs, seed, findings: join(packageRoot(), 'tmp/fuzz') });
  console.log(formatFuzz(report));
  expect(report.findings.map(({ file, command, problem }) => `${file}\n${command}\n${problem}`)).toEqual([]);
  expect(report.inputs).toBe(inputs);

  // Mutations that no reader notices, or that every reader notices at once, would test nothing.
  for (const format of new Set(allSeeds().map((each) => each.format))) {
    expect(Object.keys(report.outcomes[format] ?? {})).not.toEqual([]);
  }
  const accepted = Object.values(report.outcomes).reduce((sum, counts) => sum + (counts['accepted'] ?? 0), 0);
  expect(accepted).toBeGreaterThan(inputs / 10);
  expect(accepted).toBeLessThan((inputs * 9) / 10);
}, 600_000);
