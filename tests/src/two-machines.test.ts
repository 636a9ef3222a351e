import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { testIf } from '@nautil/testing';
import { tinyRun } from './testing/local-stack.js';

/** What tests/src/testing/two-machines.ts prints. */
interface Outcome {
  started: {
    exitCode: number;
    output: string;
    archives: { desk: number; trainer: number };
    reachesTemporal: boolean;
    reachesProxy: boolean;
  };
  together: { members: { exitCode: number; output: string }[]; archives: [number, number]; outsider: boolean };
}

const inOwnNetwork = ['-Urn', '--'];
const hasNetworks =
  spawnSync('unshare', [...inOwnNetwork, 'ip', 'link', 'add', 'name', 'probe0', 'type', 'veth']).status === 0;

testIf(
  hasNetworks,
  'this user may not create network namespaces, or `ip` is missing',
  'one machine trains what another one starts, through TLS with client certificates; then both train one run together',
  async () => {
    const program = join(packageRoot(), 'tests/src/testing/two-machines.ts');
    const args = [process.execPath, '--import', 'tsx', program, ...tinyRun, 'trainer.max_steps=3'];
    const printed = await new Promise<{ stdout: string; stderr: string }>((resolve) =>
      execFile(
        'unshare',
        [...inOwnNetwork, ...args],
        { env: { ...process.env, NODE_OPTIONS: '' } },
        (_, stdout, stderr) => {
          resolve({ stdout, stderr });
        },
      ),
    );
    expect(printed).toEqual({ stdout: expect.stringContaining('{'), stderr: expect.anything() });
    const outcome = JSON.parse(printed.stdout) as Outcome;
    expect(outcome.started).toEqual({
      exitCode: 0,
      output: expect.stringContaining('step 3'),
      archives: { desk: 0, trainer: 1 },
      reachesTemporal: false,
      reachesProxy: true,
    });
    expect(outcome.together).toEqual({
      members: [
        { exitCode: 0, output: expect.stringContaining('step 3') },
        { exitCode: 0, output: expect.stringContaining('member 1 of 2 (counted from 0) has trained: 3 steps') },
      ],
      archives: [1, 1], // the first machine has written the second archive
      outsider: false,
    });
  },
  300_000,
);
