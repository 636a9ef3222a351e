import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** The folder of the bundles, which git ignores. It must be in the checkout, because `packageRoot` looks above its own file. */
const folder = join(root, 'tmp', 'program');

const record = join(folder, 'newest.json');

/** A process that runs a bundle, such as a worker, still loads parts of it. A bundle is removed if it is older than this. */
const keptMs = 7 * 24 * 60 * 60 * 1000;

/** The newest bundles stay, however old they are. */
const keptBundles = 5;

/** Files that are not in the list of the bundler, and change what it bundles. */
const settings = ['apps/cli/bin/prepared-program.mjs', 'package-lock.json', 'tsconfig.base.json'];

/** Packages that are bundled, because they consist of many small files. Those with native code, and those of Temporal, are not. */
const bundledPackages = ['@sinclair/typebox', 'ajv', 'yaml', '@huggingface/tokenizers', 'fastest-levenshtein'];

/** A file is taken for changed since the bundler has read it if the clock of the file system may be as coarse as this. */
const clockMs = 20;

/**
 * Files that the code starts or loads by URL are entry points of their own. Shared chunks are beside them in lib, so that a
 * relative URL in a chunk resolves as it does in its source.
 */
const entryPoints = {
  'bin/nautil': 'apps/cli/src/nautil.ts',
  'lib/parquet-worker': 'libs/datasets/src/tables/parquet-worker.ts',
  'lib/print-tensorflow': 'apps/cli/src/print-tensorflow.ts',
  'lib/tokenize-worker': 'libs/tokenization/src/tokenize-worker.ts',
  'lib/trainer-child': 'libs/trainer-process/src/child.ts',
  'lib/ui-gate-process': 'libs/stack/src/ui-gate-process.ts',
};

/** Files that load npm packages with `require`, and stay where they are. */
const required = {
  'tfjs-node.cjs': 'libs/tensorflow/src/tfjs-node.cjs',
  'onnxruntime-node.cjs': 'libs/onnx/src/onnxruntime-node.cjs',
};

/** The options of esbuild that the program of a checkout and a package have in common. */
export const bundleOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  metafile: true,
  logLevel: 'warning',
};

/** The same for the program, which is one bundle with shared chunks. */
export const programOptions = {
  ...bundleOptions,
  entryPoints,
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'lib/[name]-[hash]',
};

/**
 * Bundles the program of this checkout, unless the newest bundle has been made of the same files. The bundle loads in a third of
 * the time that the TypeScript takes.
 *
 * @returns the URL of the bundle; undefined if none can be made, such as in a folder that this user may not write to
 */
export async function preparedProgram() {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (!isClosed(folder)) return undefined;
    const name = freshBundle() ?? (await bundle());
    return pathToFileURL(join(folder, name, 'bin', 'nautil.mjs')).href;
  } catch {
    return undefined; // The TypeScript is loaded instead, which reports what is wrong with it.
  }
}

/** Whether no other user could have put anything there. The owner of the checkout could change the program anyway. */
function isClosed(path) {
  const { mode, uid } = statSync(path);
  return (mode & 0o022) === 0 && [process.getuid?.(), statSync(root).uid, 0].includes(uid);
}

/** The name of the newest bundle's folder; undefined if one of the files that it was made of has changed. */
function freshBundle() {
  try {
    const { name, files } = JSON.parse(readFileSync(record, 'utf8'));
    const isFresh = Object.entries(files).every(([path, state]) => stateOf(join(root, path)) === state);
    return isFresh && existsSync(join(folder, name, 'bin', 'nautil.mjs')) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Tells a file from a later one at the same path. npm gives all files the same time, but replaces them. */
function stateOf(path) {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}

/** @returns the name of the bundle's folder */
async function bundle() {
  const startedAt = Date.now();
  const { build, stop } = await import('esbuild');
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const name = randomUUID();
  const to = join(folder, name);
  const umask = process.umask();
  process.umask(umask | 0o022); // The process of esbuild inherits it.
  let inputs;
  try {
    mkdirSync(join(to, 'lib'), { recursive: true });
    const { metafile } = await build({
      ...programOptions,
      logLevel: 'silent',
      outdir: to,
      external: Object.keys(dependencies).filter((dependency) => !bundledPackages.includes(dependency)),
      plugins: [{ name: 'built-in-modules', setup: importBuiltIns }],
    });
    for (const [file, source] of Object.entries(required)) {
      const path = relative(join(to, 'lib'), join(root, source));
      writeFileSync(join(to, 'lib', file), `module.exports = require(${JSON.stringify(path)});\n`);
    }
    inputs = metafile.inputs;
  } finally {
    process.umask(umask);
    await stop();
  }
  const sources = Object.keys(inputs).filter((path) => !path.startsWith(builtIn));
  const packages = sources.map((path) => /^(?:apps|libs)\/[^/]+\/|^workflows\//.exec(path)?.[0]).filter(Boolean);
  const paths = [...sources, ...settings, ...new Set(packages.map((path) => `${path}package.json`))];
  const files = Object.fromEntries(paths.map((path) => [path, stateOf(join(root, path))]));
  const changed = paths.some((path) => statSync(join(root, path)).mtimeMs >= startedAt - clockMs);
  // A bundle of files that were being edited is run this time, and made again the next time.
  if (!changed) {
    const temporary = join(folder, `${name}.json`);
    writeFileSync(temporary, JSON.stringify({ name, files }), { mode: 0o644 });
    renameSync(temporary, record);
  }
  removeOldBundles();
  return name;
}

const builtIn = 'built-in:';

/** yaml is CommonJS and requires modules of Node, which an ES module can only import. */
function importBuiltIns({ onResolve, onLoad }) {
  onResolve({ filter: /^(?:process|buffer)$/ }, ({ path }) => ({ path, namespace: 'built-in' }));
  onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
    contents: `export * from 'node:${path}';\nexport { default } from 'node:${path}';`,
    loader: 'js',
  }));
}

function removeOldBundles() {
  const bundles = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, madeAt: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.madeAt - a.madeAt);
  for (const { name, madeAt } of bundles.slice(keptBundles))
    if (madeAt < Date.now() - keptMs) rmSync(join(folder, name), { recursive: true, force: true });
}
