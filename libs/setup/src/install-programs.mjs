import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { defaultWeights } from './default-weights.mjs';
import { withSetupLock } from './with-setup-lock.mjs';
import { checkPlatform, checkFreeSpace } from './platform.mjs';
import { pythonEnvironment } from './python-environment.mjs';
import { Interrupted } from './setup-error.mjs';
import { tensorflowGpuLibrary, tensorflowLibrary } from './tensorflow-library.mjs';

/**
 * Installs what is missing, step by step. A complete step is skipped. An interrupted one starts from scratch the next time,
 * because a step only counts as complete when its last file is in place.
 *
 * @param {import('./index.d.mts').InstallOptions} options
 */
export async function installPrograms({ home, signal, log, python, gpu = false, dryRun = false, before = [] }) {
  log(`platform: ${checkPlatform()}`);
  const place = { home, chosenPython: python ?? process.env.NAUTIL_PYTHON };
  const programs = [pythonEnvironment, gpu ? tensorflowGpuLibrary : tensorflowLibrary, defaultWeights];
  const steps = [...before, ...programs.map((step) => step(place))];
  if (dryRun) {
    await planSteps(steps, { signal, log });
    return;
  }
  mkdirSync(home, { recursive: true, mode: 0o700 }); // other users may not enter it, as for every part of Nautil that creates it
  await withSetupLock(home, { signal, log }, () => runSteps(steps, { home, signal, log }));
}

/** Lists what would be installed. Writes only to a temporary folder, which it removes. */
async function planSteps(steps, { signal, log }) {
  const work = mkdtempSync(join(tmpdir(), 'nautil-setup-'));
  try {
    for (const step of steps) {
      if (signal.aborted) throw new Interrupted();
      const done = step.done();
      if (done === undefined) {
        log(`${step.name}: would be installed, with up to ${(step.neededBytes / 1e9).toFixed(1)} GB on disk meanwhile`);
        for (const line of await step.plan({ signal, log, work })) log(`  ${line}`);
      } else {
        log(`${step.name}: ready (${done})`);
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  log('nothing was changed: this was a dry run');
}

async function runSteps(steps, { home, signal, log }) {
  const work = join(home, 'tmp', `setup-${process.pid}`);
  removeRemains(join(home, 'tmp'));
  const missing = steps.filter((step) => step.done() === undefined);
  checkFreeSpace(
    home,
    missing.reduce((sum, step) => sum + step.neededBytes, 0),
  );
  try {
    for (const step of steps) {
      if (signal.aborted) throw new Interrupted();
      if (missing.includes(step)) {
        mkdirSync(work, { recursive: true });
        const started = performance.now();
        await step.make({ signal, log, work });
        rmSync(work, { recursive: true, force: true });
        log(`${step.name}: ready after ${((performance.now() - started) / 1000).toFixed(0)} s`);
      } else {
        log(`${step.name}: ready (${step.done()})`);
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Removes the temporary folders of set-ups that were killed. The caller holds the lock, so none of them is in use. */
function removeRemains(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name.startsWith('setup-')) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
