import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cudaRequirements } from './cuda-requirements.mjs';
import { environmentPython, findPython } from './python-environment.mjs';
import { runProgram } from './run-program.mjs';
import { SetupError } from './setup-error.mjs';
import { forSomePython } from './wheel-download.mjs';

/** The first pip whose `install --dry-run` reads the metadata of wheels without downloading them. */
const neededPip = '25.3';

/**
 * What pip would download for a wheel of TensorFlow and NVIDIA's packages: name, version and size of each, in a line. Resolves the
 * versions as the installation does, and writes only to `work`.
 *
 * @returns {Promise<string[]>}
 */
export async function planDownload(requirement, { home, chosenPython, work, signal, log }) {
  const python = existsSync(join(home, 'python', 'bin', 'python'))
    ? environmentPython(home)
    : findPython(chosenPython).executable;
  const env = { TMPDIR: work, PIP_NO_CACHE_DIR: '1', ...(await recentPip(python, { work, signal, log })) };
  mkdirSync(work, { recursive: true });
  const report = join(work, 'report.json');

  /** The packages that pip would install for the requirements alone. */
  const resolve = (requirements) =>
    forSomePython(requirements.join(' '), { signal, log }, async (options) => {
      const args = ['--dry-run', '--ignore-installed', '--no-deps', '--only-binary=:all:', '--no-input', '--quiet'];
      // pip takes another platform only with a target. It does not write to it in a dry run.
      const target = ['--target', join(work, 'none'), '--report', report, '--use-feature=fast-deps'];
      await runProgram(python, ['-m', 'pip', 'install', ...args, ...target, ...options, ...requirements], {
        signal,
        log,
        env,
      });
      return JSON.parse(readFileSync(report, 'utf8')).install;
    });

  const [wheel] = await resolve([requirement]);
  const packages = [wheel, ...(await resolve(cudaRequirements(wheel.metadata.requires_dist ?? [])))];
  const urls = packages.map(({ download_info }) => download_info.url);
  const sizes = (await runProgram(python, ['-c', printSizes, ...urls], { signal, log })).trim().split('\n').map(Number);
  const known = sizes.filter((bytes) => bytes > 0);
  return [
    ...packages.map(({ metadata }, i) => `${metadata.name}==${metadata.version} (${megabytes(sizes[i])})`),
    `${packages.length} packages, ${megabytes(known.reduce((sum, bytes) => sum + bytes, 0))}${known.length < sizes.length ? ' and those of unknown size' : ''}`,
  ];
}

const megabytes = (bytes) => (bytes > 0 ? `${Math.max(1, Math.round(bytes / 1e6))} MB` : 'size unknown');

/** The variables with which Python finds a pip that is new enough. Downloads one of 2 MB to `work` if the installed one is not. */
async function recentPip(python, { work, signal, log }) {
  const version = await runProgram(python, ['-m', 'pip', '--version'], { signal, log });
  if (isAtLeast(/^pip ([\d.]+)/.exec(version)?.[1] ?? '0', neededPip)) return {};
  const target = join(work, 'pip');
  mkdirSync(target, { recursive: true });
  const args = ['--no-input', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '--target', target];
  try {
    await runProgram(python, ['-m', 'pip', 'install', ...args, `pip>=${neededPip}`], { signal, log });
  } catch (error) {
    throw new SetupError(`${error.message}\n\nthe download cannot be listed without pip ${neededPip} or newer`, {
      hint: error.hint,
    });
  }
  return { PYTHONPATH: target };
}

function isAtLeast(version, other) {
  const [own, least] = [version, other].map((text) => text.split('.').map(Number));
  for (const [i, part] of least.entries()) if ((own[i] ?? 0) !== part) return (own[i] ?? 0) > part;
  return true;
}

/** A Python program that prints the size in bytes of each file whose address is an argument; 0 where the server does not state it. */
const printSizes = `
import os, ssl, sys, urllib.request
context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
for url in sys.argv[1:]:
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            print(int(answer.headers.get("Content-Length") or 0))
    except Exception:
        print(0)
`;
