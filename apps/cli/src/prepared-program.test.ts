import { execFileSync } from 'node:child_process';
import { chmod, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { withFolder } from '@nautil/testing';

const program = 'apps/cli/src/nautil.ts';
const imported = 'libs/stack/src/imported.ts';
const entryPoints = [
  'apps/cli/src/print-tensorflow.ts',
  'libs/datasets/src/tables/parquet-worker.ts',
  'libs/tokenization/src/tokenize-worker.ts',
  'libs/trainer-process/src/child.ts',
  'libs/stack/src/ui-gate-process.ts',
];

/** Runs a test in a checkout whose program prints a word and whether it was loaded from a bundle. */
async function withCheckout(use: (checkout: string) => Promise<void>): Promise<void> {
  const scripts = ['nautil.mjs', 'prepared-program.mjs'].map((name) => `apps/cli/bin/${name}`);
  const copied = await Promise.all(
    scripts.map(async (path) => [path, await readFile(join(packageRoot(), path))] as const),
  );
  const files = {
    ...Object.fromEntries(copied),
    [program]: `import { word } from '../../../libs/stack/src/imported.js';\nconsole.log(word, import.meta.url.includes('/tmp/program/'));`,
    [imported]: `export const word: string = 'first';`,
    ...Object.fromEntries(entryPoints.map((path) => [path, `console.log('started');`])),
    ...Object.fromEntries(
      ['apps/cli', 'libs/datasets', 'libs/tokenization', 'libs/trainer-process', 'libs/stack'].map((folder) => [
        `${folder}/package.json`,
        '{ "type": "module" }',
      ]),
    ),
    'package.json': '{ "dependencies": { "ajv": "8" } }',
    'package-lock.json': '{}',
    'tsconfig.base.json': '{}',
  };
  await withFolder(files, async (checkout) => {
    await symlink(join(packageRoot(), 'node_modules'), join(checkout, 'node_modules'));
    await untilFilesAreOlderThan(100);
    await use(checkout);
  });
}

/** A file that was written right before a bundle counts as edited meanwhile. */
const untilFilesAreOlderThan = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const run = (checkout: string, umask = '022'): string =>
  execFileSync('/bin/sh', ['-c', `umask ${umask}; exec "$@"`, 'sh', process.execPath, 'apps/cli/bin/nautil.mjs'], {
    cwd: checkout,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  }).trim();

const bundlesIn = async (checkout: string): Promise<string[]> =>
  (await readdir(join(checkout, 'tmp/program'))).filter((name) => name !== 'newest.json');

test('the program of a checkout runs from a bundle, which serves until a source changes', async () => {
  await withCheckout(async (checkout) => {
    expect([run(checkout), run(checkout)]).toEqual(['first true', 'first true']);
    expect(await bundlesIn(checkout)).toHaveLength(1);
    await writeFile(join(checkout, imported), `export const word: string = 'other';`);
    expect(run(checkout)).toBe('other true');
    await untilFilesAreOlderThan(100);
    await rm(join(checkout, imported));
    await writeFile(join(checkout, program), `console.log('alone', import.meta.url.includes('/tmp/program/'));`);
    expect(run(checkout)).toBe('alone true');
  });
});

test('a damaged record and a bundle that was removed are made again', async () => {
  await withCheckout(async (checkout) => {
    run(checkout);
    const record = join(checkout, 'tmp/program/newest.json');
    for (const damage of ['', '{}', '{"name":"gone","files":{}}', 'null']) {
      await writeFile(record, damage);
      expect(run(checkout)).toBe('first true');
    }
    const [name = ''] = await bundlesIn(checkout);
    await rm(join(checkout, 'tmp/program', name), { recursive: true });
    expect(run(checkout)).toBe('first true');
  });
});

test('nobody else may write to a bundle, whatever the umask, and a folder that others may write to is not used', async () => {
  await withCheckout(async (checkout) => {
    expect(run(checkout, '000')).toBe('first true');
    const folder = join(checkout, 'tmp/program');
    const paths = ['.', ...(await readdir(folder, { recursive: true }))];
    const modes = await Promise.all(paths.map(async (path) => (await stat(join(folder, path))).mode & 0o022));
    expect(new Set(modes)).toEqual(new Set([0]));
    await chmod(folder, 0o777);
    expect(run(checkout)).toBe('first false');
  });
});

test('without a place for a bundle, and with a source that is none, the TypeScript is loaded', async () => {
  await withCheckout(async (checkout) => {
    await writeFile(join(checkout, 'tmp'), '');
    expect(run(checkout)).toBe('first false');
    await rm(join(checkout, 'tmp'));
    await writeFile(join(checkout, imported), 'export const word = ;');
    expect(() => run(checkout)).toThrow(/imported\.ts/);
  });
});
