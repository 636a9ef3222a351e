import { access, readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { type Ended, root, runProgram } from './testing/run-program.js';
import { StateFolder } from './testing/state-folder.js';

// The README's first command, without a terminal and limited to a few steps.

let state: StateFolder;
let ports: number[];
let start: Ended;
const few = [
  'trainer.max_steps=4',
  'trainer.limit_val_batches=2',
  'trainer.limit_test_batches=2',
  'model.train_ds.num_samples=128',
];
/** Keeps the output of the test out of the checkout. */
const intoState = (): string[] => [
  `model.nemo_path=${join(state.path, 'sst2.nemo')}`,
  `exp_manager.exp_dir=${join(state.path, 'nemo_experiments')}`,
];

beforeAll(async () => {
  state = await StateFolder.make();
  ports = [await freePort(), await freePort(), await freePort()];
  start = await runProgram(process.execPath, [join(root, 'tools/start.mjs'), ...few, ...intoState()], {
    env: environment(),
  });
}, 240_000);
afterAll(() => state.remove());

const environment = (): Record<string, string> => ({
  NAUTIL_HOME: state.path,
  NAUTIL_TEMPORAL_PORT: String(ports[0]),
  NAUTIL_TEMPORAL_UI_PORT: String(ports[1]),
  NAUTIL_MLFLOW_PORT: String(ports[2]),
});

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

test('it ends with exit code 0 and the path of an archive that exists', async () => {
  expect({ ...start, stdout: undefined }).toMatchObject({ exitCode: 0 });
  const paths = start.stdout.match(/\S+\.nemo\b/g) ?? [];
  expect(paths.at(-1)).toBe(join(state.path, 'sst2.nemo'));
  await access(paths.at(-1)!);
});

test('it prints the addresses of the run in both UIs, and its scores by class', () => {
  expect(start.stdout).toContain(`http://127.0.0.1:${ports[1]}/namespaces/default/workflows/`);
  expect(start.stdout).toMatch(new RegExp(`http://127\\.0\\.0\\.1:${ports[2]}/#/experiments/\\d+/runs/[0-9a-f]{32}`));
  expect(start.stdout).toMatch(/class +epoch +step +precision % +recall % +F1 %/);
  expect(start.stdout).toMatch(/^positive +[\d.]+ +[\d.]+ +[\d.]+ +\d+$/m);
  expect(start.stdout).toMatch(/test accuracy 0\.\d{4}, macro F1 0\.\d{4}, on \d+ examples/);
});

test('without a terminal it prints lines, stops the servers, and leaves no process of its own', async () => {
  expect(start.stderr).toMatch(/epoch 1 {2}step \d+\/4/);
  expect(start.stderr).not.toContain('\r');
  for (const port of ports) expect(await answers(port)).toBe(false);
});

test('its archive classifies texts without servers, as the README shows', async () => {
  const nautil = join(root, 'apps/cli/bin/nautil.mjs');
  const { exitCode, stdout } = await runProgram(
    process.execPath,
    [nautil, 'predict', '--model', join(state.path, 'sst2.nemo'), '--input', '-'],
    { input: 'a gorgeous, witty, seductive movie\n', env: environment() },
  );
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^a gorgeous, witty, seductive movie\t(?:negative|positive)\n$/);
});

test('a port in use is reported with a hint before anything is trained', async () => {
  const holder = net.createServer((socket) => socket.resume()).listen(ports[0], '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  try {
    const { exitCode, stderr } = await runProgram(process.execPath, [join(root, 'tools/start.mjs'), ...few], {
      env: environment(),
    });
    expect(stderr).toContain(String(ports[0]));
    expect(stderr).toMatch(/NAUTIL_TEMPORAL_PORT|--temporal-port/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(exitCode).toBe(4);
  } finally {
    await new Promise((resolve) => holder.close(resolve));
  }
}, 60_000);

test('`npm start` runs it', async () => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts['start']).toBe('node tools/start.mjs');
});
