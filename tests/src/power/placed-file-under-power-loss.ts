import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileRef, placeFile, writeFileAtomic } from '@nautil/store';

const runs = ['first', 'second', 'third'];
const contentOf = (run: string): string => `model of the ${run} run `.repeat(400);

/** Puts the archive of a run at the path that all of them name. */
async function place(folder: string, run: string): Promise<void> {
  process.env['NAUTIL_HOME'] = join(folder, 'home');
  const made = join(folder, 'made', run);
  await writeFileAtomic(made, contentOf(run));
  await placeFile(await fileRef(made), join(folder, 'models', 'mine.nemo'), { owner: run, isShared: false });
}

export async function writePlaced(folder: string, mark: (text: string) => void): Promise<void> {
  for (const run of runs) {
    await place(folder, run);
    mark(run);
  }
}

/** The archive of each run that has ended must be there, also after the last run is repeated. */
export async function checkPlaced(folder: string, marks: readonly string[]): Promise<string> {
  await place(folder, 'third');
  const names = (await readdir(join(folder, 'models'))).filter((name) => name.endsWith('.nemo'));
  const found = await Promise.all(names.map((name) => readFile(join(folder, 'models', name), 'utf8')));
  const known = runs.map(contentOf);
  const damaged = names.filter((_, i) => !known.includes(found[i]!));
  if (damaged.length > 0) throw new Error(`${damaged.join(', ')} damaged`);
  for (const run of marks) if (!found.includes(contentOf(run))) throw new Error(`the model of the ${run} run is lost`);
  if ((await readFile(join(folder, 'models', 'mine.nemo'), 'utf8')) !== contentOf('third'))
    throw new Error('mine.nemo is not the newest model');
  return `${names.length} models`;
}
