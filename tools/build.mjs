// Builds dist/nautil, the npm package of the program: it runs with Node alone, outside a checkout and without tsx. Also packs it.
//   node tools/build.mjs [--out FOLDER]      (default: dist)
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleWorkflowCode } from '@temporalio/worker';
import { build } from 'esbuild';
import { bundleOptions, programOptions } from '../apps/cli/bin/prepared-program.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist') } } });
const dist = resolve(values.out);
const out = join(dist, 'nautil');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// The npm registry has an unrelated package named `nautil`, so the package has another name than its command.
const packageName = 'nautil-ft';

// These are bundled although they are npm packages: the install scripts of two download libraries that Nautil does not use, and
// onnxruntime-node contains those of six platforms.
const bundled = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs', 'onnxruntime-node'];
const external = Object.keys(manifest.dependencies).filter((name) => !bundled.includes(name));

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'lib'), { recursive: true });

const program = await build({ ...programOptions, outdir: out, external });
const tfjs = await build({
  ...bundleOptions,
  entryPoints: ['libs/tensorflow/src/tfjs-node.cjs'],
  format: 'cjs',
  outfile: join(out, 'lib', 'tfjs-node.cjs'),
});
const onnxruntime = await build({
  ...bundleOptions,
  entryPoints: ['libs/onnx/src/onnxruntime-node.cjs'],
  format: 'cjs',
  outfile: join(out, 'lib', 'onnxruntime-node.cjs'),
  external: ['./onnxruntime/*'],
  plugins: [{ name: 'onnxruntime-addon', setup: loadAddonFromPackage }],
});
cpSync(join(root, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64'), join(out, 'lib', 'onnxruntime'), {
  recursive: true,
});
const { resolve: resolveModule } = createRequire(import.meta.url);
// Which of the two a worker loads depends on its environment: interceptors are part of a bundle.
for (const [file, workflowInterceptorModules] of [
  ['workflow-bundle.js', []],
  ['traced-workflow-bundle.js', [resolveModule('@nautil/workflows/tracing')]],
]) {
  const { code } = await bundleWorkflowCode({
    workflowsPath: resolveModule('@nautil/workflows'),
    payloadConverterPath: resolveModule('@nautil/workflows/payload-converter'),
    workflowInterceptorModules,
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    }),
  });
  writeFileSync(join(out, 'lib', file), code);
}

for (const folder of ['conf', 'samples']) cpSync(join(root, folder), join(out, folder), { recursive: true });
cpSync(join(root, 'tools', 'build', 'README.md'), join(out, 'README.md'));
for (const file of ['LICENSE', 'NOTICE', 'CHANGELOG.md'])
  if (existsSync(join(root, file))) cpSync(join(root, file), join(out, file));
writeFileSync(
  join(out, 'THIRD-PARTY-LICENSES.txt'),
  licencesOf([program.metafile, tfjs.metafile, onnxruntime.metafile]),
);
writeFileSync(join(out, 'package.json'), `${JSON.stringify(packageManifest(), null, 2)}\n`);

// An image is built from the only one: Dockerfile.
for (const name of readdirSync(dist))
  if (name.startsWith(`${packageName}-`) && name.endsWith('.tgz')) rmSync(join(dist, name));
const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', dist], {
  cwd: out,
  encoding: 'utf8',
}).trim();
console.log(`${out} and ${join(dist, tarball)} written\nto install it elsewhere: npm install ${join(dist, tarball)}`);

function packageManifest() {
  const outputs = Object.values(program.metafile.outputs);
  const imported = new Set(
    outputs.flatMap(({ imports }) =>
      imports.filter((one) => one.external).flatMap(({ path }) => external.filter((name) => isWithin(path, name))),
    ),
  );
  return {
    name: packageName,
    version: manifest.version,
    description: manifest.description,
    license: manifest.license,
    type: 'module',
    bin: { nautil: 'bin/nautil.mjs' },
    engines: manifest.engines,
    os: ['linux'],
    cpu: ['x64'],
    dependencies: Object.fromEntries([...imported].sort().map((name) => [name, manifest.dependencies[name]])),
    // MLflow's tags name the commit that a run was made with.
    gitHead: execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
  };
}

/** onnxruntime-node looks for its addon in a folder of the platform. */
function loadAddonFromPackage({ onLoad }) {
  onLoad({ filter: /onnxruntime-node\/dist\/binding\.js$/ }, ({ path }) => {
    const source = readFileSync(path, 'utf8');
    const contents = source.replace(
      /require\(`[^`]*onnxruntime_binding\.node`\)/,
      "require('./onnxruntime/onnxruntime_binding.node')",
    );
    if (contents === source) throw new Error(`${path} does not load its addon as expected`);
    return { contents, loader: 'js' };
  });
}

function isWithin(path, name) {
  return path === name || path.startsWith(`${name}/`);
}

/** The licences of the npm packages that are part of the bundles. */
function licencesOf(metafiles) {
  const inputs = metafiles.flatMap(({ inputs }) => Object.keys(inputs));
  const folders = new Set(
    inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? '' : readFileSync(join(root, folder, file), 'utf8').trim();
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return `Bundled in this package:\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
