import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';

test('--version prints the version of the package', () => {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  expect(execFileSync(process.execPath, [program, '--version'], { encoding: 'utf8' })).toBe(`${version}\n`);
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
