import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { moveIntoPlace, readStamp, sizeOfFolder, writeStamp } from './folder-step.mjs';
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
    make: async (context) => {
      context.log(`TensorFlow library: ${requirement} (274 MB), of which two files are used`);
      await takeLibraries(requirement, folder, { ...context, home });
    },
  };
}

/**
 * Installs the libraries of the wheel with CUDA, and NVIDIA's libraries. The run path of the former contains `../nvidia/<part>/lib`,
 * so the folder `nvidia` must be next to the folder of the version.
 */
export function tensorflowGpuLibrary({ home }) {
  const folder = join(home, 'tensorflow', `${tensorflowVersion}-gpu`);
  const requirement = `tensorflow==${tensorflowVersion}`;
  const nvidia = join(home, 'tensorflow', 'nvidia');
  return {
    name: 'TensorFlow library for GPUs',
    neededBytes: 9e9,
    done: () => (isComplete(folder, requirement) && existsSync(nvidia) ? requirement : undefined),
    make: async (context) => {
      const { log, signal, work } = context;
      log(`TensorFlow library for GPUs: ${requirement} and NVIDIA's libraries (about 4 GB, some minutes)`);
      const wheel = await downloadWheel(requirement, { ...context, home });
      const python = environmentPython(home);
      const wanted = await runProgram(python, ['-c', cudaRequirements, wheel], { signal, log });
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
        ].concat(wanted.trim().split('\n')),
        { signal, log, env: { TMPDIR: work }, progress: async () => sizeOfFolder(work) },
      );
      moveIntoPlace(join(target, 'nvidia'), nvidia);
      rmSync(target, { recursive: true, force: true });
      await unpackLibraries(wheel, requirement, folder, { ...context, home });
    },
  };
}

// The wheel's metadata lists the NVIDIA packages of its extra `and-cuda`.
const cudaRequirements = `
import sys, zipfile, email.parser
with zipfile.ZipFile(sys.argv[1]) as archive:
    name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = email.parser.Parser().parsestr(archive.read(name).decode())
for line in metadata.get_all("Requires-Dist", []):
    requirement, _, marker = line.partition(";")
    if "and-cuda" in marker: print(requirement.strip().replace(" ", "").replace("(", "").replace(")", ""))
`;

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
