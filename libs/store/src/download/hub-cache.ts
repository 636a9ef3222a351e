import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { environmentVariable } from '../environment-variable.js';

/** A repository on the Hugging Face hub. */
export interface HubRepository {
  type: 'model' | 'dataset';

  /** `owner/name`, or a name alone for the oldest ones. */
  name: string;
}

/**
 * Whether a string has the form of a repository's name, by the rules of Hugging Face's `validate_repo_id`. Such a name is
 * safe to use as a path below a folder.
 */
export function isHubName(text: string): boolean {
  const isNames = /^(?:\w(?:[\w.-]*\w)?\/)?\w(?:[\w.-]*\w)?$/.test(text);
  return isNames && !/--|\.\.|\.git$/.test(text) && text.length <= 96;
}

/** The cache of Hugging Face's libraries: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub. */
export function hubCacheFolder(): string {
  const cache = environmentVariable('HF_HUB_CACHE') ?? environmentVariable('HUGGINGFACE_HUB_CACHE');
  return cache ?? join(hubHome(), 'hub');
}

/** The folder of Hugging Face's libraries, which also holds the token of the logged-in user. */
export function hubHome(): string {
  const caches = environmentVariable('XDG_CACHE_HOME') ?? join(homedir(), '.cache');
  return environmentVariable('HF_HOME') ?? join(caches, 'huggingface');
}

/** The folder of a repository in the cache, whether it exists or not. */
export function hubRepositoryFolder({ type, name }: HubRepository, cache: string = hubCacheFolder()): string {
  return join(cache, `${type}s--${name.replace('/', '--')}`);
}

/**
 * The folder of a cached snapshot of a repository: the revision that refs/main names, or else the only one; undefined when
 * neither exists.
 */
export async function cachedSnapshot(repositoryFolder: string): Promise<string | undefined> {
  const snapshots = join(repositoryFolder, 'snapshots');
  const reference = await readFile(join(repositoryFolder, 'refs', 'main'), 'utf8').catch(() => '');
  const present = await readdir(snapshots).catch((): string[] => []);
  const revision = present.find((name) => name === reference.trim()) ?? (present.length === 1 ? present[0] : undefined);
  if (revision === undefined) return undefined;
  const folder = join(snapshots, revision);
  return (await stat(folder)).isDirectory() ? folder : undefined;
}
