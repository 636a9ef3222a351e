import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nautilHome } from '../folders/package-root.js';
import { runsFolder } from '../folders/run-folder.js';
import { measureFolder } from './measure-folder.js';

/** Disk usage of one kind of data. */
export interface StoredKind {
  /** `objects`, `stages/tokenize`, `runs`, `models`, … */
  kind: string;
  path: string;

  /** Number of objects, stage outputs or runs; for other kinds, of files. */
  count: number;
  sizeBytes: number;

  /** True when a garbage collection may remove it. */
  collectable: boolean;
}

/** Disk usage of the state folder by kind, the largest first. */
export async function measureHome(home: string = nautilHome()): Promise<StoredKind[]> {
  const kinds: StoredKind[] = [];
  const counted = new Set<string>();
  const add = async (kind: string, path: string, o: { collectable?: true; each?: true } = {}): Promise<void> => {
    const { files, sizeBytes } = await measureFolder(path, counted);
    if (files === 0) return;
    const count = o.each ? (await namesIn(path)).length : files;
    kinds.push({ kind, path, count, sizeBytes, collectable: o.collectable ?? false });
  };
  await add('objects', join(home, 'store', 'objects'), { collectable: true });
  for (const stage of await namesIn(join(home, 'store', 'stages')))
    await add(`stages/${stage}`, join(home, 'store', 'stages', stage), { collectable: true, each: true });
  await add('runs', runsFolder(home), { collectable: true, each: true });
  for (const name of await namesIn(home)) if (name !== 'store' && name !== 'runs') await add(name, join(home, name));
  return kinds.sort((a, b) => b.sizeBytes - a.sizeBytes);
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch((): string[] => []);
