import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { contains } from '../folders/create-folder.js';
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

  /** True for the log folders of runs, which are elsewhere; files that they share with the state folder are counted there. */
  outside?: true;
}

/** Disk usage of the state folder by kind, the largest first, and that of the log folders of its runs, by the folder that they are in. */
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
  for (const [path, logDirs] of await logFoldersOf(home)) {
    const sizes = await Promise.all(logDirs.map((folder) => measureFolder(folder, counted)));
    const sizeBytes = sizes.reduce((sum, size) => sum + size.sizeBytes, 0);
    if (sizes.some(({ files }) => files > 0))
      kinds.push({ kind: 'log folders', path, count: logDirs.length, sizeBytes, collectable: false, outside: true });
  }
  return kinds.sort((a, b) => b.sizeBytes - a.sizeBytes);
}

const parseLogDir = jsonParser(Type.Object({ logDir: Type.String() }));

/** The log folders of the runs, by the folder that they are in. Those in the state folder are a part of it. */
async function logFoldersOf(home: string): Promise<Map<string, string[]>> {
  const folders = new Map<string, Set<string>>();
  for (const name of await namesIn(runsFolder(home))) {
    const logDir = await logDirIn(join(runsFolder(home), name, 'run.json'));
    if (logDir === undefined || contains(home, logDir)) continue;
    folders.set(dirname(logDir), (folders.get(dirname(logDir)) ?? new Set()).add(logDir));
  }
  return new Map([...folders].map(([path, logDirs]) => [path, [...logDirs]]));
}

/** Undefined for the folder of a sweep, which has no log folder, and for a damaged record. */
async function logDirIn(record: string): Promise<string | undefined> {
  try {
    return parseLogDir(await readFile(record, 'utf8'), record).logDir;
  } catch {
    return undefined;
  }
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch((): string[] => []);
