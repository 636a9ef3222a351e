import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cudaRequirements, printRequiresDist } from './cuda-requirements.mjs';
import { moveIntoPlace, readStamp, sizeOfFolder, writeStamp } from './folder-step.mjs';
import { planDownload } from './plan-download.mjs';
import { environmentPython } from './python-environment.mjs';
import { runProgram } from './run-program.mjs';
import { downloadWheel, unpackWheel } from './wheel-download.mjs';

const tensorflowVersion = '2.21.0';
const libraries = String.raw`libtensorflow_(cc|framework)\.so\.2`;

/** Installs the two shared libraries of the tensorflow-cpu wheel, without its Python code. */
export function tensorflowLibrary({ home }) {
  const folder = join(home, 'tensorflow', tensorflowVersion);
  const requirement = `tensorflow-cpu==${tensorflowVersion}`;
  return {
    name: 'TensorFlow library',
    neededBytes: 1.5e9,
    done: () => (isComplete(folder, requirement) ? requirement : undefined),
    plan: () => [`${requirement} (274 MB)`, `to ${folder}`],
    make: async (context) => {
      context.log(`TensorFlow library: ${requirement} (274 MB), of which two files are used`);
      await takeLibraries(requirement, folder, { ...context, home });
    },
  };
}

/**
 * Installs the libraries of the wheel with CUDA, and NVIDIA's libraries in the folder `nvidia` beside them, which TensorFlow expects and
 * in which `findCudaLibraries` looks.
 */
export function tensorflowGpuLibrary({ home, chosenPython }) {
  const folder = join(home, 'tensorflow', `${tensorflowVersion}-gpu`);
  const requirement = `tensorflow==${tensorflowVersion}`;
  const nvidia = join(home, 'tensorflow', 'nvidia');
  return {
    name: 'TensorFlow library for GPUs',
    neededBytes: 9e9,
    done: () => (isComplete(folder, requirement) && hasAllLibraries(nvidia, requirement) ? requirement : undefined),
    plan: async (context) => [
      ...(await planDownload(requirement, { ...context, home, chosenPython })),
      `to ${folder} and ${nvidia}`,
    ],
    make: async (context) => {
      const { log, signal, work } = context;
      log(`TensorFlow library for GPUs: ${requirement} and NVIDIA's libraries (about 4 GB, some minutes)`);
      const wheel = await downloadWheel(requirement, { ...context, home });
      const python = environmentPython(home);
      const fields = await runProgram(python, ['-c', printRequiresDist, wheel], { signal, log });
      const target = join(work, 'nvidia');
      await runProgram(
        python,
        [
          '-m',
          'pip',
          'install',
          '--no-deps',
          '--only-binary=:all:',
          '--no-input',
          '--disable-pip-version-check',
          '--target',
          target,
        ].concat(cudaRequirements(fields.trim().split('\n'))),
        { signal, log, env: { TMPDIR: work }, progress: async () => sizeOfFolder(work) },
      );
      const packages = readdirSync(target).flatMap((name) => /^(.*)\.dist-info$/.exec(name)?.[1] ?? []);
      log(`TensorFlow library for GPUs: ${packages.join(', ')}`);
      writeStamp(join(target, 'nvidia'), { requirement, packages, libraries: librariesIn(join(target, 'nvidia')) });
      moveIntoPlace(join(target, 'nvidia'), nvidia);
      rmSync(target, { recursive: true, force: true });
      await unpackLibraries(wheel, requirement, folder, { ...context, home });
    },
  };
}

/** Whether the folder of NVIDIA's packages belongs to the wheel, and no library has been removed from it. */
function hasAllLibraries(nvidia, requirement) {
  const stamp = readStamp(nvidia);
  return stamp?.requirement === requirement && stamp.libraries.every((path) => existsSync(join(nvidia, path)));
}

/** The paths of the shared libraries in `nvidia/<part>/lib`. */
const librariesIn = (nvidia) =>
  readdirSync(nvidia, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.so(\.\d+)*$/.test(entry.name) && /\/lib$/.test(entry.parentPath))
    .map((entry) => relative(nvidia, join(entry.parentPath, entry.name)));

const isComplete = (folder, requirement) =>
  readStamp(folder)?.requirement === requirement && existsSync(join(folder, 'libtensorflow_cc.so.2'));

async function takeLibraries(requirement, folder, context) {
  await unpackLibraries(await downloadWheel(requirement, context), requirement, folder, context);
}

async function unpackLibraries(wheel, requirement, folder, context) {
  const made = join(context.work, 'tensorflow');
  mkdirSync(made, { recursive: true });
  await unpackWheel(wheel, { prefix: 'tensorflow/', pattern: libraries, to: made }, context);
  writeStamp(made, { requirement });
  moveIntoPlace(made, folder);
}
