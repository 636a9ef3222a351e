import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { testIf } from '@nautil/testing';
import { availableMemory } from './available-memory.js';

test('a process may take some of the memory of the machine, and not more than all', () => {
  expect(availableMemory()).toBeGreaterThan(50e6);
  expect(availableMemory()).toBeLessThan(totalmem());
});

const limitBytes = 400 * 2 ** 20;
const group = limitedGroup();

testIf(group !== undefined, 'this user may not create a control group', 'a control group limits it', () => {
  const program = `import { availableMemory } from ${JSON.stringify(new URL('available-memory.ts', import.meta.url).href)};
console.log(availableMemory());`;
  const command = `echo $$ > ${group}/cgroup.procs && exec "$0" "$@"`;
  try {
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program];
    const printed = execFileSync('sh', ['-c', command, ...node], { env: { ...process.env, NODE_OPTIONS: '' } });
    expect(Number(printed)).toBeLessThan(limitBytes);
    expect(Number(printed)).toBeGreaterThan(limitBytes / 4);
  } finally {
    rmdirSync(group!);
  }
  return Promise.resolve();
});

/** Creates a control group within that of this process, of either version; undefined if this user may not. */
function limitedGroup(): string | undefined {
  const lines = readFileSync('/proc/self/cgroup', 'latin1')
    .split('\n')
    .map((line) => line.split(':'));
  for (const [mount, controller, limit] of [
    ['/sys/fs/cgroup', '', 'memory.max'],
    ['/sys/fs/cgroup/memory', 'memory', 'memory.limit_in_bytes'],
  ] as const) {
    const [, , path] = lines.find(([, controllers]) => controllers === controller) ?? [];
    if (path === undefined) continue;
    const folder = join(mount, path, `nautil-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    // Elsewhere than in a file system of control groups, the new folder is empty.
    if (existsSync(join(folder, limit))) {
      writeFileSync(join(folder, limit), String(limitBytes));
      return folder;
    }
    rmdirSync(folder);
  }
  return undefined;
}
