import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTensorFlow, TensorFlowError } from './index.js';

const index = fileURLToPath(new URL('./index.ts', import.meta.url));

/** What a fresh process prints, on both of its streams: the library can be opened once in each. */
function inProcess(script: string, env: Record<string, string> = {}): string {
  const code = `import * as lib from ${JSON.stringify(index)};\n${script}`;
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', code],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...inherited, ...env } as NodeJS.ProcessEnv,
      encoding: 'utf8',
    },
  );
  expect(status).toBe(0);
  return stderr + stdout;
}

const attempt = 'try { lib.openTensorFlow(); } catch (e) { console.log(e.name, e.kind, e.message, e.hint); }';

test('a second opening gives the same library, and other options are refused', () => {
  const first = openTensorFlow();
  expect(first.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(openTensorFlow()).toBe(first);
  expect(() => openTensorFlow({ onednn: !first.onednn })).toThrow(TensorFlowError);
  expect(() => openTensorFlow({ library: '/another.so' })).toThrow(/open already/);
});

test('a library that is not there, or is none, is named with what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-tensorflow-'));
  try {
    const expected = /^TensorFlowMissing environment .*npm run setup/s;
    expect(inProcess(attempt, { LIBTENSORFLOW: join(folder, 'none.so') })).toMatch(expected);
    writeFileSync(join(folder, 'text.so'), 'not a library');
    expect(inProcess(attempt, { LIBTENSORFLOW: join(folder, 'text.so') })).toMatch(expected);
    expect(inProcess(attempt, { LIBTENSORFLOW: '', NAUTIL_HOME: folder })).toMatch(expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('oneDNN is off when it is asked to be, and a process that ran a graph ends by itself, having printed nothing', () => {
  const script = (options: string) => `
    const { onednn } = lib.openTensorFlow(${options});
    const graph = new lib.Graph();
    const session = new lib.Session(graph);
    const [two] = await session.run({ fetches: [graph.constant('float32', [], [2])] });
    console.log(onednn, two.data[0]);`;
  expect(inProcess(script('{ onednn: false }'))).toBe('false 2\n');
  expect(inProcess(script('{ onednn: true }'))).toBe('true 2\n');
});
