import { lstat, readlink, realpath } from 'node:fs/promises';
import { basename, delimiter, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { userPath } from '@nautil/config';
import { defineError } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';
import { contains, defaultFolder, nautilHome } from '@nautil/store/folders';

/** A run that came from a task queue names an output in a place where the worker lets no run write. */
export class OutputNotAllowed extends defineError('OutputNotAllowed', 'config') {
  constructor(key: string, path: string, { roots, why = '' }: { roots: readonly string[]; why?: string }) {
    super(`${key}: this worker does not let runs write to ${path}${why}; it lets them write in ${roots.join(', ')}`, {
      hint: [
        'name a place in one of these folders, or start the worker with others: NAUTIL_OUTPUTS=FOLDER:FOLDER,',
        'or `npx nautil down` and then `npx nautil up` in the folder in which the run should write',
      ].join('\n'),
    });
  }
}

/** Checks that a run may write to a path, which a key of its configuration names or leaves to the default. */
export type RequireOutput = (key: string, path: string) => Promise<void>;

/** The parts of the state folder that Nautil itself uses. Programs are started from some of them. */
const ownParts =
  /^(?:python|tensorflow|models|store|runs|locks|logs|tmp|mlflow|temporal|huggingface|home-id|(?:stack|worker)\.json|temporal\.db.*)$/;

/** More links than this in one path are a cycle. */
const mostLinks = 40;

/**
 * The folders in which a worker lets runs write that came from a task queue: anyone who can reach Temporal may start a run.
 *
 * In these folders, hidden files and folders (`.bashrc`, `.git`) are refused, and in the state folder also the parts that Nautil
 * itself uses. Links are followed, so that a link in a folder does not lead out of it.
 *
 * @example
 * const outputs = OutputRoots.ofWorker();
 * await outputs.require('model.nemo_path', '/home/alice/model.nemo'); // throws OutputNotAllowed
 */
export class OutputRoots {
  readonly #roots: readonly string[];
  readonly #home: string;

  /** @param home - the state folder */
  constructor(roots: readonly string[], home: string) {
    this.#roots = [...new Set(roots)];
    this.#home = home;
  }

  /** Those in NAUTIL_OUTPUTS, a list like PATH; default: the working folder, the base of relative paths, and the state folder. */
  static ofWorker(workingFolder = process.cwd()): OutputRoots {
    const home = nautilHome();
    const given = environmentVariable('NAUTIL_OUTPUTS')
      ?.split(delimiter)
      .filter((path) => path !== '')
      .map((path) => userPath(workingFolder, path));
    return new OutputRoots(given ?? [workingFolder, defaultFolder(), home], home);
  }

  /** @throws OutputNotAllowed */
  readonly require: RequireOutput = async (key, path) => {
    const refuse = (why?: string): OutputNotAllowed =>
      new OutputNotAllowed(key, path, { roots: this.#roots, ...(why === undefined ? {} : { why }) });
    if (path.includes('\0')) throw refuse();
    const real = await followLinks(isAbsolute(path) ? path : resolve(path));
    const home = await followLinks(this.#home).catch(() => this.#home);
    const partOfHome = insideOf(home, real);
    if (partOfHome !== undefined && ownParts.test(partOfHome[0] ?? '')) {
      throw refuse(`, a part of the state folder that Nautil itself uses`);
    }
    let isHidden = false;
    for (const root of this.#roots) {
      const parts = insideOf(await followLinks(root).catch(() => root), real);
      if (parts === undefined) continue;
      if (!parts.some((part) => part.startsWith('.'))) return;
      isHidden = true;
    }
    throw refuse(isHidden ? ', because a part of it is hidden' : real === resolve(path) ? '' : `, which is ${real}`);
  };
}

/** The names from a folder down to a path; undefined if the path is elsewhere. */
function insideOf(folder: string, path: string): string[] | undefined {
  if (!contains(folder, path)) return undefined;
  return relative(folder, path)
    .split(sep)
    .filter((part) => part !== '');
}

/**
 * The path without links. Of a path that does not exist yet, its folders are followed, and a link to nothing to its target.
 *
 * NOTE: as for the system, `..` after a link is the folder above the link's target. `resolve` would remove the link instead.
 */
async function followLinks(path: string, links = 0): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
  const parent = dirname(path);
  if (parent === path) return path;
  const realParent = await followLinks(parent, links);
  const place = join(realParent, basename(path));
  const isLink = await lstat(place).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  if (!isLink || links >= mostLinks) return place;
  const target = await readlink(place);
  return followLinks(isAbsolute(target) ? target : `${realParent}/${target}`, links + 1);
}
