import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { root, runProgram } from './testing/run-program.js';

// The lint rule @nx/enforce-module-boundaries rejects cycles between projects. These tests cover what it cannot see: cycles
// between the files of one project, and programs that are started by a path instead of imported.

const folders = ['apps', 'libs', 'tools', 'workflows'];
const sources = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => /\/src\/.*\.m?[tj]s$/.test(path) && !path.includes('node_modules')),
);

test('no file imports itself through other files, type imports included', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-imports-'));
  try {
    const output = join(folder, 'imports.json');
    const options = ['--no-warning', '--no-tree', '--no-progress', '--no-circular', '--output', output];
    const program = join(root, 'node_modules/dpdm/lib/bin/dpdm.js');
    const { exitCode, stderr } = await runProgram(process.execPath, [program, ...options, ...sources], { cwd: root });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.any(String) });
    const { tree, circulars } = JSON.parse(readFileSync(output, 'utf8')) as { tree: object; circulars: string[][] };
    expect(Object.keys(tree).length).toBeGreaterThan(300);
    expect(circulars).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The project that a file belongs to: `libs/store`, `workflows`. */
const projectOf = (path: string): string => /^(?:(?:libs|apps)\/[^/]+|[^/]+)/.exec(path)?.[0] ?? path;

test('a program that is started by URL is in the project that starts it', () => {
  const url = /(?:new URL|import\.meta\.resolve)\(\s*['`](\.[^'`]*)['`]/g;
  const isProgram = ({ target }: { target: string }): boolean => /\.[cm]?[jt]s$/.test(target);
  const started = sources.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(url)].map(([, path = '']) => ({
      file,
      target: relative(root, resolve(root, dirname(file), path)),
    })),
  );
  const programs = started.filter(isProgram);
  expect(programs.length).toBeGreaterThan(1);
  expect(programs.filter(({ file, target }) => projectOf(file) !== projectOf(target))).toEqual([]);
});

test('no library names the path of another project', () => {
  const named = sources
    .filter((file) => file.startsWith('libs/') && !/\.test\.ts$|\/testing\//.test(file))
    .filter((file) => /['"`](?:\.\.\/)*(?:apps|libs|workflows)\//.test(readFileSync(join(root, file), 'utf8')));
  expect(named).toEqual([]);
});
