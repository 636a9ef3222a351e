import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPrograms } from '../../libs/setup/src/install-programs.mjs';
import { withSetupLock } from '../../libs/setup/src/with-setup-lock.mjs';
import { npmPackages } from './npm-packages.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Prepares a fresh clone: the npm packages, then everything that `nautil setup` installs.
 *
 * @param {{ signal: AbortSignal, log?: (line: string) => void, python?: string, gpu?: boolean, dryRun?: boolean }} o
 */
export async function setUp({
  signal,
  log = (line) => console.error(`[setup] ${line}`),
  python,
  gpu = false,
  dryRun = false,
}) {
  const home = process.env.NAUTIL_HOME ? resolve(process.env.NAUTIL_HOME) : join(root, '.nautil');
  const install = () => installPrograms({ home, signal, log, python, gpu, dryRun, before: [npmPackages({ root })] });
  if (dryRun) return install();
  // Checkouts may share a state folder, and one checkout may use several state folders, so each of both has its own lock.
  await withSetupLock(root, { signal, log }, install);
}
