import {
  mlflowVersionAt,
  isTemporalServing,
  portHolder,
  stackAddresses,
  stackStatus,
  type StackSettings,
} from '@nautil/stack';
import { formatBytes, freeBytesAt, nautilHome } from '@nautil/store';
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One thing that `nautil doctor` looked at. */
export interface Finding {
  /** `warning`: works, but look at it. */
  state: 'ok' | 'warning' | 'problem';

  name: string;
  detail: string;

  /** What to do about it. */
  remedy?: string;
}

const setUp = 'run `npm run setup`';

/** Looks at everything that Nautil stands on, each part by itself: one that is broken hides no other. */
export async function diagnose(settings: StackSettings): Promise<Finding[]> {
  const checks: [string, () => Promise<Omit<Finding, 'name'>>][] = [
    ['Node.js', checkNode],
    ['platform', checkPlatform],
    ['Python environment', checkPythonEnvironment],
    ['Temporal command line', checkTemporalProgram],
    ['TensorFlow library', checkTensorFlow],
    ['default weights', checkWeights],
    ['disk', checkDisk],
    ['port of Temporal', () => checkPort('temporal', settings)],
    ['port of MLflow', () => checkPort('mlflow', settings)],
    ['worker', () => checkWorker(settings)],
  ];
  return Promise.all(
    checks.map(async ([name, check]): Promise<Finding> => {
      try {
        return { name, ...(await check()) };
      } catch (error) {
        return { name, state: 'problem', detail: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

async function checkNode(): Promise<Omit<Finding, 'name'>> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const detail = `${process.versions.node} at ${process.execPath}`;
  if (major > 22 || major < 20 || (major === 20 && minor < 19)) {
    return { state: 'problem', detail, remedy: 'install Node.js 20.19 or newer, below 23' };
  }
  return { state: 'ok', detail };
}

async function checkPlatform(): Promise<Omit<Finding, 'name'>> {
  const detail = `${process.platform}-${process.arch}`;
  if (detail === 'linux-x64') return { state: 'ok', detail };
  return {
    state: 'problem',
    detail,
    remedy: 'Nautil runs on Linux x86-64: use a container, a virtual machine or WSL 2',
  };
}

async function checkPythonEnvironment(): Promise<Omit<Finding, 'name'>> {
  const python = join(nautilHome(), 'python', 'bin', 'python');
  const script =
    'import sys, importlib.metadata as m; print("Python %d.%d.%d" % sys.version_info[:3] + ", mlflow " + m.version("mlflow"))';
  try {
    return {
      state: 'ok',
      detail: `${(await run(python, ['-c', script])).stdout.trim()} in ${join(nautilHome(), 'python')}`,
    };
  } catch (error) {
    return { state: 'problem', detail: `${python} does not give MLflow: ${lastLine(error)}`, remedy: setUp };
  }
}

async function checkTemporalProgram(): Promise<Omit<Finding, 'name'>> {
  const temporal = join(nautilHome(), 'python', 'bin', 'temporal');
  try {
    return { state: 'ok', detail: (await run(temporal, ['--version'])).stdout.trim() };
  } catch (error) {
    return { state: 'problem', detail: `${temporal} does not run: ${lastLine(error)}`, remedy: setUp };
  }
}

/** In a process of its own: a library that crashes must not end the doctor. */
async function checkTensorFlow(): Promise<Omit<Finding, 'name'>> {
  const script = new URL('print-tensorflow-version.ts', import.meta.url).pathname;
  try {
    const { stdout } = await run(process.execPath, ['--import', import.meta.resolve('tsx'), script]);
    return { state: 'ok', detail: stdout.trim() };
  } catch (error) {
    return { state: 'problem', detail: `the library cannot be loaded: ${lastLine(error)}`, remedy: setUp };
  }
}

async function checkWeights(): Promise<Omit<Finding, 'name'>> {
  const folder = join(nautilHome(), 'models', 'all-MiniLM-L6-v2');
  const { size } = await stat(join(folder, 'model.safetensors')).catch(() => ({ size: 0 }));
  if (size === 0) return { state: 'problem', detail: `${folder} holds no weights`, remedy: setUp };
  return { state: 'ok', detail: `all-MiniLM-L6-v2, ${formatBytes(size)}, in ${folder}` };
}

async function checkDisk(): Promise<Omit<Finding, 'name'>> {
  const free = await freeBytesAt(nautilHome());
  if (free === undefined) return { state: 'warning', detail: `free space at ${nautilHome()} cannot be read` };
  const detail = `${formatBytes(free)} free at ${nautilHome()}`;
  if (free > 5e9) return { state: 'ok', detail };
  return {
    state: free > 1e9 ? 'warning' : 'problem',
    detail,
    remedy: '`npx nautil store gc --dry-run` lists what can be given back',
  };
}

async function checkPort(server: 'temporal' | 'mlflow', settings: StackSettings): Promise<Omit<Finding, 'name'>> {
  const { temporalAddress, mlflowTrackingUri } = stackAddresses(settings);
  const address = server === 'temporal' ? temporalAddress : mlflowTrackingUri;
  const answers =
    server === 'temporal' ? await isTemporalServing(address) : (await mlflowVersionAt(address)) !== undefined;
  if (answers) return { state: 'ok', detail: `${address} answers` };
  const port = Number(/:(\d+)\/?$/.exec(address)?.[1]);
  const holder = portHolder(port);
  if (!holder) return { state: 'ok', detail: `${address} is free; \`npx nautil up\` starts the server` };
  const option = server === 'temporal' ? '--temporal-port' : '--mlflow-port';
  return {
    state: 'problem',
    detail: `${address} is taken by process ${holder.pid} (${holder.command})`,
    remedy: `end process ${holder.pid}, or choose another port: npx nautil up ${option} PORT`,
  };
}

async function checkWorker(settings: StackSettings): Promise<Omit<Finding, 'name'>> {
  const worker = (await stackStatus(settings)).find(({ name }) => name === 'worker');
  if (worker?.state !== 'running') return { state: 'ok', detail: 'none of ours runs; `npx nautil up` starts one' };
  return { state: 'ok', detail: `process ${worker.pid} on task queue ${worker.address}, log ${worker.logFile}` };
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr || message).trim().split('\n').at(-1) ?? '';
}
