import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import koffi from 'koffi';
import { allowTensorFloat32, openTensorFlow, TensorFlowError, tensorFlowLibrary } from './index.js';

const index = fileURLToPath(new URL('./index.ts', import.meta.url));

/** The output of a new process on both streams. Each process can open the library only once. */
function inProcess(script: string, env: Record<string, string> = {}): string {
  const code = `import * as lib from ${JSON.stringify(index)};\n${script}`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', code],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      encoding: 'utf8',
    },
  );
  expect(status).toBe(0);
  return stderr + stdout;
}

const attempt = 'try { lib.openTensorFlow(); } catch (e) { console.log(e.name, e.kind, e.message, e.hint); }';

test('opening the library again returns the same one, and refuses other options', () => {
  const first = openTensorFlow();
  expect(first.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(openTensorFlow()).toBe(first);
  const reopen = () => openTensorFlow({ onednn: !first.onednn });
  expect(reopen).toThrow(TensorFlowError);
  expect(reopen).toThrow(/already open/);
});

test('TF32 is TensorFlow’s own switch, which it has on at first', () => {
  const framework = koffi.load(openTensorFlow().library.replace('libtensorflow_cc', 'libtensorflow_framework'));
  const isAllowed = framework.func('_ZN3tsl33tensor_float_32_execution_enabledEv', 'bool', []) as () => boolean;
  expect(isAllowed()).toBe(true);
  expect(allowTensorFloat32(false)).toBe(true);
  expect(isAllowed()).toBe(false);
  allowTensorFloat32(true);
  expect(isAllowed()).toBe(true);
});

test('a missing or invalid library is named, with a hint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-tensorflow-'));
  try {
    const expected = /^TensorFlowMissing environment .*npx nautil setup/s;
    expect(inProcess(attempt, { LIBTENSORFLOW: join(folder, 'none.so') })).toMatch(expected);
    writeFileSync(join(folder, 'text.so'), 'not a library');
    expect(inProcess(attempt, { LIBTENSORFLOW: join(folder, 'text.so') })).toMatch(expected);
    expect(inProcess(attempt, { LIBTENSORFLOW: '', NAUTIL_HOME: folder })).toMatch(expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a library that is loaded beforehand is the same, and a failure of that is reported when it is opened', () => {
  const preloaded = `
    const { readFileSync } = await import('node:fs');
    await lib.preloadTensorFlow({ onednn: false });
    console.log(readFileSync('/proc/self/maps', 'utf8').includes('libtensorflow_cc'));
    console.log(lib.openTensorFlow({ onednn: false }).onednn);`;
  expect(inProcess(preloaded)).toBe('true\nfalse\n');
  const missing = `await lib.preloadTensorFlow();\n${attempt}`;
  expect(inProcess(missing, { LIBTENSORFLOW: '/none.so' })).toMatch(/^TensorFlowMissing environment/);
  expect(inProcess(`void lib.preloadTensorFlow(); setTimeout(() => process.exit(0), 20);`)).toBe('');
});

test('libraries that are loaded before TensorFlow are found by their names, wherever they are, and a broken one is no error', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-tensorflow-'));
  try {
    const [library, broken] = [join(folder, 'libq.so.6'), join(folder, 'text.so')];
    // A copy of libm.so.6 with another name inside, as the dynamic linker compares it.
    const [libm = ''] = /\/\S*\/libm[-.]\S*/.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
    writeFileSync(library, readFileSync(libm).toString('latin1').replaceAll('libm.so.6\0', 'libq.so.6\0'), 'latin1');
    writeFileSync(broken, 'not a library');
    const script = (before: string[]) => `
      const koffi = (await import('koffi')).default;
      const { loadNative } = await import(${JSON.stringify(new URL('./native.ts', import.meta.url).href)});
      const native = loadNative(lib.tensorFlowLibrary(), { TF_CPP_MIN_LOG_LEVEL: '2' }, ${JSON.stringify(before)});
      const [now, onlyIfLoaded] = [2, 4];
      const dlopen = koffi.load('libc.so.6').func('dlopen', 'void *', ['str', 'int']);
      console.log(native.TF_Version().split('.')[0], Boolean(dlopen('libq.so.6', now | onlyIfLoaded)));`;
    expect(inProcess(script([broken, library]))).toBe('2 true\n');
    expect(inProcess(script([]))).toBe('2 false\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the library states whether it can compute on GPUs', () => {
  expect(openTensorFlow().build).toBe(tensorFlowLibrary().includes('-gpu') ? 'cuda' : 'cpu');
});

test('oneDNN can be switched off, and a process that ran a graph prints nothing of its own and exits normally', () => {
  const script = (options: string) => `
    const { onednn } = lib.openTensorFlow(${options});
    const graph = new lib.Graph();
    const session = new lib.Session(graph);
    const [two] = await session.run({ fetches: [graph.constant('float32', [], [2])] });
    console.log(onednn, two.data[0]);`;
  expect(inProcess(script('{ onednn: false }'))).toBe('false 2\n');
  expect(inProcess(script('{ onednn: true }'))).toBe('true 2\n');
});

test('pages of the library that only the dynamic linker has read are not resident', () => {
  const residentKb = `
    const { readFileSync } = await import('node:fs');
    lib.openTensorFlow();
    const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-)/m);
    const start = mappings.find((mapping) => /^\\S+ r--p 00000000 .*libtensorflow_cc/.test(mapping));
    console.log(/^Rss: +(\\d+) kB/m.exec(start)[1]);`;
  expect(Number(inProcess(residentKb))).toBeLessThan(40_000);
});
