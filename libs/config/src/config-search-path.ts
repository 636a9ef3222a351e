import { existsSync, readdirSync, statSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { packageRoot } from '@nautil/store';
import { readYaml, type YamlFile } from './read-yaml.js';

/**
 * The folders that configurations and groups are looked for in, the user's first: somebody's own folder of YAML still
 * has the groups that come with Nautil.
 */
export class ConfigSearchPath {
  readonly folders: readonly string[];
  private readonly cwd: string;
  private readonly loaded = new Map<string, YamlFile>();

  constructor(folders: readonly string[], cwd: string) {
    this.folders = [...new Set(folders)];
    this.cwd = cwd;
  }

  /** The file of a configuration or group option (`sst2`, `data/imdb`), or undefined. */
  find(name: string): string | undefined {
    return this.folders.map((folder) => join(folder, `${name}.yaml`)).find((path) => existsSync(path));
  }

  /** True when some folder has a sub-folder of that name with an option in it. */
  isGroup(name: string): boolean {
    return name !== '' && this.options(name).length > 0;
  }

  /** Names of the options of a group; those of the root are the named configurations. */
  options(group: string): string[] {
    const names = this.folders
      .map((folder) => join(folder, group))
      .filter((folder) => existsSync(folder) && statSync(folder).isDirectory())
      .flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.yaml')));
    return [...new Set(names.map((name) => name.slice(0, -'.yaml'.length)))].sort();
  }

  /** Reads the file at `path`, once. */
  async load(path: string): Promise<YamlFile> {
    const known = this.loaded.get(path);
    if (known) return known;
    const file = await readYaml(path, this.shown(path), isInside(shippedFolder(), path));
    this.loaded.set(path, file);
    return file;
  }

  /** The name of a file for people: short when it is in the checkout or where they stand. */
  shown(path: string): string {
    const base = [packageRoot(), this.cwd].find((folder) => isInside(folder, path));
    return base === undefined ? path : relative(base, path);
  }
}

/** The checkout's own folder of configurations. */
export function shippedFolder(): string {
  return join(packageRoot(), 'conf');
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && !way.startsWith('..') && !isAbsolute(way);
}
