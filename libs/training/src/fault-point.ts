import { readFile, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutOfMemory, TensorFlowError } from '@nautil/tensorflow';

/**
 * What can happen at a fault point: `hold` waits there, heartbeats going on, until the process is killed or the file of
 * faults is removed (another one may take its place); `crash` aborts the process as native code would; `out-of-memory` and `device-lost` are TensorFlow's own errors.
 */
const faults: Record<string, (point: string, file: string) => Promise<void>> = {
  hold: async (_point, file) => {
    const struck = await identityOf(file);
    while ((await identityOf(file)) === struck) await sleep(50);
  },
  crash: () => process.abort(),
  'out-of-memory': async (point) => {
    throw new OutOfMemory(`out of memory at fault point ${point}`, { code: 'RESOURCE_EXHAUSTED' });
  },
  'device-lost': async (point) => {
    throw new TensorFlowError(`device lost at fault point ${point}`, { code: 'UNAVAILABLE' });
  },
};

/**
 * A named place where a drill can make things go wrong. Nothing happens unless the environment variable NAUTIL_FAULTS
 * names a file with a line `<fault> <point>`, such as `crash train step 7`. A fault that strikes is taken out of the file
 * first: it strikes once, in whichever process comes by.
 */
export async function faultPoint(point: string): Promise<void> {
  const file = process.env['NAUTIL_FAULTS'];
  if (file === undefined) return;
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  const index = lines.findIndex((line) => line.endsWith(` ${point}`));
  if (index < 0) return;
  const [line = ''] = lines.splice(index, 1);
  await writeFile(file, lines.join('\n'));
  const name = line.slice(0, -point.length - 1);
  const strike = faults[name];
  if (!strike) throw new TypeError(`${file}: ${name} is not one of ${Object.keys(faults).join(', ')}`);
  await strike(point, file);
}

/** Numbers of files are given out again; with the time of its creation one is unique. */
async function identityOf(file: string): Promise<string | undefined> {
  return stat(file).then(
    ({ ino, birthtimeMs }) => `${ino} ${birthtimeMs}`,
    () => undefined,
  );
}
