import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nautilCommand, NautilError } from '@nautil/contracts';
import {
  isMlflowResponding,
  isTemporalServing,
  portHolder,
  stackAddresses,
  type StackSettings,
  stackStatus,
} from '@nautil/stack';
import { formatBytes, freeBytesAt } from '@nautil/store';
import { nautilHome } from '@nautil/store/folders';
import { readGpuFacts, runNvidiaSmi, runWithin, TimeLimitExceeded } from '@nautil/tensorflow/gpu';
import { gpuFindings, parseInspection, type TensorFlowInspection } from './diagnose-gpu.js';
import type { Finding } from './finding.js';

const run = promisify(execFile);

const setUp = 'run `npx nautil setup`';

/** Checks everything that Nautil needs. The checks are independent: one that fails hides no other. */
export async function diagnose(settings: StackSettings): Promise<Finding[]> {
  const inspection = inspectTensorFlow();
  const checks: [string, () => Omit<Finding, 'name'> | Promise<Omit<Finding, 'name'>>][] = [
    ['Node.js', checkNode],
    ['platform', checkPlatform],
    ['Python environment', checkPythonEnvironment],
    ['Temporal command line', checkTemporalProgram],
    ['TensorFlow library', () => checkTensorFlow(inspection)],
    ['default weights', checkWeights],
    ['disk', checkDisk],
    ['port of Temporal', () => checkPort('temporal', settings)],
    ['port of MLflow', () => checkPort('mlflow', settings)],
    ['worker', () => checkWorker(settings)],
  ];
  const gpus = checkGpus(inspection);
  const findings = await Promise.all(
    checks.map(async ([name, check]): Promise<Finding> => {
      try {
        return { name, ...(await check()) };
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        const remedy = error instanceof NautilError ? error.hint : undefined;
        return { name, state: 'problem', detail, ...(remedy === undefined ? {} : { remedy }) };
      }
    }),
  );
  const after = findings.findIndex(({ name }) => name === 'TensorFlow library') + 1;
  return [...findings.slice(0, after), ...(await gpus), ...findings.slice(after)];
}

function checkNode(): Omit<Finding, 'name'> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const detail = `${process.versions.node} at ${process.execPath}`;
  if (major > 22 || major < 20 || (major === 20 && minor < 19)) {
    return { state: 'problem', detail, remedy: 'install Node.js 20.19 or newer, below 23' };
  }
  return { state: 'ok', detail };
}

function checkPlatform(): Omit<Finding, 'name'> {
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
    return { state: 'problem', detail: `${python} cannot import MLflow: ${lastLine(error)}`, remedy: setUp };
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

/** The build for GPUs is large, and may be on a slow disk. */
const loadTimeoutMs = 180_000;

/** Loads TensorFlow and NVIDIA's libraries in a separate process, so that a crash does not end this one. */
async function inspectTensorFlow(): Promise<TensorFlowInspection | { problem: string }> {
  const script = fileURLToPath(new URL('./print-tensorflow.mjs', import.meta.url));
  try {
    // Level 1 includes the warning that libraries are missing.
    return parseInspection(
      await runWithin(process.execPath, [script], {
        env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '1' },
        timeoutMs: loadTimeoutMs,
      }),
    );
  } catch (error) {
    if (error instanceof TimeLimitExceeded)
      return {
        problem: `it takes longer than ${loadTimeoutMs / 1000} s; the driver of a GPU may hang (\`sudo dmesg | grep -i xid\`)`,
      };
    return { problem: lastLine(error) };
  }
}

async function checkTensorFlow(inspection: ReturnType<typeof inspectTensorFlow>): Promise<Omit<Finding, 'name'>> {
  const found = await inspection;
  if ('problem' in found)
    return { state: 'problem', detail: `the library cannot be loaded: ${found.problem}`, remedy: setUp };
  const build = found.build === 'cuda' ? 'for GPUs (CUDA) and processors' : 'for processors';
  return { state: 'ok', detail: `${found.version}, ${build}, ${found.library}` };
}

async function checkGpus(inspection: ReturnType<typeof inspectTensorFlow>): Promise<Finding[]> {
  const [{ cards, problem }, found] = await Promise.all([runNvidiaSmi(), inspection]);
  // Read after nvidia-smi, which creates device files that are missing.
  const facts = { ...readGpuFacts(), cards, smiProblem: problem };
  return gpuFindings(facts, 'problem' in found ? undefined : found);
}

async function checkWeights(): Promise<Omit<Finding, 'name'>> {
  const folder = join(nautilHome(), 'models', 'all-MiniLM-L6-v2');
  const { size } = await stat(join(folder, 'model.safetensors')).catch(() => ({ size: 0 }));
  if (size === 0) return { state: 'problem', detail: `${folder} contains no weights`, remedy: setUp };
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
    remedy: '`npx nautil store gc --dry-run` lists what can be removed',
  };
}

async function checkPort(server: 'temporal' | 'mlflow', settings: StackSettings): Promise<Omit<Finding, 'name'>> {
  const { temporal, mlflowTrackingUri } = stackAddresses(settings);
  const address = server === 'temporal' ? temporal.address : mlflowTrackingUri;
  const answers = server === 'temporal' ? await isTemporalServing(temporal) : await isMlflowResponding(address);
  if (answers) return { state: 'ok', detail: `${address} answers` };
  const { state, problem } = (await stackStatus(settings)).find(({ name }) => name === server) ?? {};
  if (state === 'unreachable') {
    const setting = server === 'temporal' ? 'NAUTIL_TEMPORAL_ADDRESS or TEMPORAL_ADDRESS' : 'MLFLOW_TRACKING_URI';
    return {
      state: 'problem',
      detail: `${address} cannot be reached: ${problem}`,
      remedy: `start that server, or correct or remove ${setting}`,
    };
  }
  const port = Number(/:(\d+)\/?$/.exec(address)?.[1]);
  const holder = portHolder(port);
  if (!holder) return { state: 'ok', detail: `${address} is free; \`npx nautil up\` starts the server` };
  const option = server === 'temporal' ? '--temporal-port' : '--mlflow-port';
  return {
    state: 'problem',
    detail: `${address} is used by process ${holder.pid} (${holder.command})`,
    remedy: `end process ${holder.pid}, or choose another port: \`${nautilCommand('up', option, String(port + 1))}\``,
  };
}

/** No worker is no problem: runs can have workers elsewhere, and `nautil train` needs none. */
async function checkWorker(settings: StackSettings): Promise<Omit<Finding, 'name'>> {
  const worker = (await stackStatus(settings)).find(({ name }) => name === 'worker');
  if (worker === undefined || (worker.state === 'stopped' && worker.problem === undefined))
    return { state: 'warning', detail: 'none is running', remedy: '`npx nautil up` starts one' };
  const { state, pid, address, logFile, problem } = worker;
  const log = logFile === undefined ? '' : `, log ${logFile}`;
  const who = pid === undefined ? `the one for task queue ${address}` : `process ${pid} on task queue ${address}`;
  if (state === 'running') return { state: 'ok', detail: `${who} polls it${log}` };
  const finding = { detail: `${who} is ${state}${problem === undefined ? '' : `: ${problem}`}${log}` };
  if (state === 'failing') return { state: 'problem', remedy: '`npx nautil up` starts or replaces it', ...finding };
  return { state: 'warning', remedy: '`npx nautil status` shows its state', ...finding };
}

function lastLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const output = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return (output === '' ? error.message : output).trim().split('\n').at(-1) ?? '';
}
