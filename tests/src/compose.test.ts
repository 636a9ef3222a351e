import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { searchAttributes } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import { LocalStack } from './testing/local-stack.js';

// The script of compose.yaml that prepares a Temporal server, run with this machine's `temporal` against a namespace that it lacks.

const namespace = 'compose';
const programs = join(packageRoot(), '.nautil/python/bin');
let stack: LocalStack;
beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: false });
}, 240_000);
afterAll(() => stack.stop());

const { services } = parse(readFileSync(join(packageRoot(), 'compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<string, { entrypoint: string[]; command: string[] }>;
};

const env = () => ({
  ...process.env,
  PATH: `${programs}:${process.env['PATH']}`,
  TEMPORAL_ADDRESS: stack.temporalAddress,
  TEMPORAL_NAMESPACE: namespace,
});
const run = (command: string, args: string[]) => promisify(execFile)(command, args, { env: env() });

test('Temporal is prepared as workflows need it, and again without a difference', async () => {
  const { entrypoint, command } = services['temporal-setup']!;
  // Compose replaces $$ with $.
  const [shell = '', ...args] = [...entrypoint, ...command].map((word) => word.replaceAll('$$', '$'));
  await run(shell, args);
  await run(shell, args);
  const { stdout } = await run('temporal', ['operator', 'search-attribute', 'list']);
  for (const [name, type] of Object.entries(searchAttributes)) expect(stdout).toMatch(new RegExp(`${name} +${type}`));
}, 120_000);
