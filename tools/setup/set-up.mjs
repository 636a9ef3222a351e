import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultWeights } from './default-weights.mjs';
import { npmPackages } from './npm-packages.mjs';
import { onlyOne } from './only-one.mjs';
import { checkPlatform, checkRoom } from './platform.mjs';
import { pythonEnvironment } from './python-environment.mjs';
import { Interrupted } from './setup-error.mjs';
import { tensorflowGpuLibrary, tensorflowLibrary } from './tensorflow-library.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Brings a checkout from `git clone` to where everything runs. A step that is done is skipped; one that was interrupted starts
 * again without remains, since nothing counts as made before it is whole.
 *
 * @param {{ signal: AbortSignal, log?: (line: string) => void, python?: string, gpu?: boolean }} o
 */
export async function setUp({ signal, log = (line) => console.error(`[setup] ${line}`), python, gpu = false }) {
  const home = process.env.NAUTIL_HOME ? resolve(process.env.NAUTIL_HOME) : join(root, '.nautil');
  const place = { root, home, chosenPython: python ?? process.env.NAUTIL_PYTHON };
  log(`platform: ${checkPlatform()}`);
  const steps = [npmPackages, pythonEnvironment, gpu ? tensorflowGpuLibrary : tensorflowLibrary, defaultWeights].map(
    (step) => step(place),
  );

  // Another checkout may share the state folder, and this checkout may be set up with another one.
  const alone = (work) => onlyOne(root, { signal, log }, () => onlyOne(home, { signal, log }, work));
  await alone(async () => {
    const work = join(home, 'tmp', `setup-${process.pid}`);
    removeRemains(join(home, 'tmp'));
    const missing = steps.filter((step) => step.done() === undefined);
    checkRoom(
      home,
      missing.reduce((sum, step) => sum + step.neededBytes, 0),
    );
    try {
      for (const step of steps) {
        if (signal.aborted) throw new Interrupted();
        if (missing.includes(step)) {
          mkdirSync(work, { recursive: true });
          const started = Date.now();
          await step.make({ signal, log, work });
          rmSync(work, { recursive: true, force: true });
          log(`${step.name}: ready after ${((Date.now() - started) / 1000).toFixed(0)} s`);
        } else {
          log(`${step.name}: ready (${step.done()})`);
        }
      }
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

/** Temporary folders of set-ups that were killed; nobody else is at work while the lock is held. */
function removeRemains(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name.startsWith('setup-')) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
