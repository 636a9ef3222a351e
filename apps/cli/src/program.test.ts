import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';

test.each(['-V', '--version'])('%s prints the versions of the package, its commit, Node and TensorFlow', (option) => {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const lines = execFileSync(process.execPath, [program, option], { encoding: 'utf8' }).split('\n');
  expect(lines.slice(0, 3)).toEqual([
    `nautil ${version}`,
    expect.stringMatching(/^commit (?:[0-9a-f]{40}(?:, with changes)?|unknown)$/),
    `node ${process.versions.node}`,
  ]);
  expect(lines[3]).toMatch(/^TensorFlow \d+\.\d+\.\d+, for (?:processors|NVIDIA GPUs)$/);
});

test.each([
  [['stor'], 'npx nautil --help'],
  [['store', '--old'], 'npx nautil store --help'],
  [['store', 'gc', '--older-than', '7'], 'npx nautil store gc --help'],
  [['runs', 'sync', '--old'], 'npx nautil runs sync --help'],
])('a usage error names the help of its own command, also of a nested one: %j', (args, help) => {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const { stderr, status } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain(`\`${help}\` lists`);
});
