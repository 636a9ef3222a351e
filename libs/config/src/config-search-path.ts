import { existsSync, readdirSync, statSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { packageRoot } from '@nautil/store/folders';
import { readYaml, type YamlFile } from './read-yaml.js';

/**
 * The folders that are searched for configurations and groups, in order. The user's folder comes first and Nautil's own `conf/`
 * second, so that a user's file can use the shipped groups.
 */
export class ConfigSearchPath {
  readonly folders: readonly string[];
  private readonly cwd: string;
  private readonly loaded = new Map<string, YamlFile>();

  constructor(folders: readonly string[], cwd: string) {
    this.folders = [...new Set(folders)];
    this.cwd = cwd;
  }

  /** The path of a configuration or group option (`sst2`, `data/imdb`), or undefined. */
  find(name: string): string | undefined {
    return this.folders.map((folder) => join(folder, `${name}.yaml`)).find((path) => existsSync(path));
  }

  /** True when a folder has a subfolder of this name that contains an option. */
  isGroup(name: string): boolean {
    return name !== '' && this.options(name).length > 0;
  }

  /** The names of a group's options. For the empty group, the names of the configurations. */
  options(group: string): string[] {
    const names = this.folders
      .map((folder) => join(folder, group))
      .filter((folder) => existsSync(folder) && statSync(folder).isDirectory())
      .flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.yaml')));
    return [...new Set(names.map((name) => name.slice(0, -'.yaml'.length)))].sort();
  }

  /** Reads a file, and caches it. */
  async load(path: string): Promise<YamlFile> {
    const known = this.loaded.get(path);
    if (known) return known;
    const file = await readYaml(path, this.displayPath(path), isInside(shippedFolder(), path));
    this.loaded.set(path, file);
    return file;
  }

  /** The path for display: relative if it is inside the package or the working directory. */
  displayPath(path: string): string {
    const base = [packageRoot(), this.cwd].find((folder) => isInside(folder, path));
    return base === undefined ? path : relative(base, path);
  }
}

/** Nautil's own folder of configurations. */
export function shippedFolder(): string {
  return join(packageRoot(), 'conf');
}

function isInside(folder: string, path: string): boolean {
  const relativePath = relative(folder, path);
  return relativePath !== '' && !relativePath.startsWith('..') && !isAbsolute(relativePath);
}
