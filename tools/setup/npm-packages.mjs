import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../../libs/setup/src/run-program.mjs';

/** Installs node_modules as package-lock.json describes it, without running install scripts. */
export function npmPackages({ root }) {
  return {
    name: 'npm packages',
    neededBytes: 1.3e9,
    done: () => {
      const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
      const wanted = readPackages(join(root, 'package-lock.json'));
      if (!installed || !wanted) return undefined;
      // npm writes its hidden lockfile when an installation is complete, and omits packages for other platforms.
      const same = Object.entries(wanted).every(
        ([path, entry]) =>
          !path.startsWith('node_modules/') ||
          (installed[path]
            ? installed[path].version === entry.version && installed[path].integrity === entry.integrity
            : entry.optional),
      );
      return same ? `${Object.keys(installed).length} packages` : undefined;
    },
    plan: () => ['npm ci --ignore-scripts, as package-lock.json describes'],
    make: async ({ signal, log }) => {
      log('npm packages: npm ci --ignore-scripts (about a minute)');
      // Prefer the npm that started this program: the one on the PATH may be a different version.
      const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
      await runProgram(npm[0], [...npm.slice(1), 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: root,
        signal,
        log,
      });
    },
  };
}

function readPackages(lockfile) {
  try {
    return JSON.parse(readFileSync(lockfile, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
