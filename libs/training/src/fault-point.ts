import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutOfMemory, TensorFlowError } from '@nautil/tensorflow';

/** The faults that a drill can inject. */
const faults: Partial<Record<string, (point: string, file: string) => void | Promise<void>>> = {
  /** Waits, while heartbeats continue, until the process is killed or the faults file is removed or replaced. */
  hold: async (_point, file) => {
    const before = await identityOf(file);
    while ((await identityOf(file)) === before) await sleep(50);
  },

  /** Aborts the process, as a crash of native code does. */
  crash: () => process.abort(),

  'out-of-memory': (point) => {
    throw new OutOfMemory(`out of memory at fault point ${point}`, { code: 'RESOURCE_EXHAUSTED' });
  },

  'device-lost': (point) => {
    throw new TensorFlowError(`device lost at fault point ${point}`, { code: 'UNAVAILABLE' });
  },
};

/**
 * A named place where a drill can inject a fault. It does nothing unless the environment variable NAUTIL_FAULTS names a file with
 * a line `<fault> <point>`, such as `crash train step 7`. The line is removed before the fault takes effect, so a fault happens
 * once, in the first process that reaches its point. A process that is held at a point passes no other point meanwhile.
 */
export async function faultPoint(point: string): Promise<void> {
  const file = process.env.NAUTIL_FAULTS;
  if (file === undefined) return;
  const reached = last.then(() => reach(point, file));
  last = reached.catch(() => undefined);
  return reached;
}

/** Ends when all points that were reached before have been passed. */
let last: Promise<unknown> = Promise.resolve();

async function reach(point: string, file: string): Promise<void> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  const index = lines.findIndex((line) => line.endsWith(` ${point}`));
  if (index < 0) return;
  const [line = ''] = lines.splice(index, 1);
  // Replaced, not rewritten: a drill that read the file while it is empty would kill this process, and the other points would be lost.
  await writeFile(`${file}.next`, lines.join('\n'));
  await rename(`${file}.next`, file);
  const name = line.slice(0, -point.length - 1);
  const fault = faults[name];
  if (!fault) throw new TypeError(`${file}: ${name} is not one of ${Object.keys(faults).join(', ')}`);
  await fault(point, file);
}

/** The inode and creation time of a file: inode numbers alone are reused. */
async function identityOf(file: string): Promise<string | undefined> {
  return stat(file).then(
    ({ ino, birthtimeMs }) => `${ino} ${birthtimeMs}`,
    () => undefined,
  );
}
