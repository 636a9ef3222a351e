import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedSnapshot, hubCacheFolder, hubRepositoryFolder, isHubName } from '@nautil/store/download';
import { nautilHome } from '@nautil/store/folders';
import { FileUnavailable } from '../errors.js';
import { megatronDownloadHint } from './megatron-names.js';

export interface FindOptions {
  /** Folder of installed models. Default: `models` in Nautil's state folder. */
  readonly models?: string;

  /** Hugging Face's cache. Default: `hubCacheFolder()`. */
  readonly hubCache?: string;
}

/**
 * Finds a model on this machine: a path, a model installed by `nautil setup`, or a snapshot in Hugging Face's cache.
 * Downloads nothing. Pass the result to `openEncoder`.
 *
 * @example await findEncoder('google/bert_uncased_L-2_H-128_A-2')
 * @returns a folder or a file
 * @throws FileUnavailable with the places that were searched and, for a name that NeMo resolves through NGC, the file to
 * download
 */
export async function findEncoder(name: string, options: FindOptions = {}): Promise<string> {
  return (await locateEncoder(name, options)).path;
}

export interface LocatedEncoder {
  readonly path: string;

  /** True for a snapshot in Hugging Face's cache, which a download can complete. */
  readonly inHubCache: boolean;
}

/** As `findEncoder`, and tells where the model was found. */
export async function locateEncoder(name: string, options: FindOptions = {}): Promise<LocatedEncoder> {
  if (existsSync(name)) {
    return { path: isHubRepository(name) ? await snapshotIn(name) : name, inHubCache: false };
  }
  const isName = isHubName(name);
  const models = options.models ?? join(nautilHome(), 'models');
  const installed = join(models, name);
  if (isName && existsSync(installed)) return { path: installed, inHubCache: false };
  const repository = hubRepositoryFolder({ type: 'model', name }, options.hubCache ?? hubCacheFolder());
  if (isName && existsSync(repository)) return { path: await snapshotIn(repository), inHubCache: true };

  const searched = isName ? [name, installed, repository] : [name];
  throw new FileUnavailable(name, 'this model is not on this machine', {
    hint: [
      ...(megatronDownloadHint(name, installed) ?? [generalHint]),
      ...(await installedHint(models)),
      `searched: ${searched.join(', ')}`,
    ].join('\n'),
  });
}

/** The models that set-up installed, which need no download. */
async function installedHint(models: string): Promise<string[]> {
  const names = (await readdir(models).catch((): string[] => [])).filter((name) => !name.startsWith('.')).sort();
  return names.length === 0 ? [] : [`installed here: ${names.join(', ')}`];
}

const generalHint =
  'give a folder with config.json, model.safetensors or pytorch_model.bin, and the files of the tokenizer';

/** Whether a folder is a repository of Hugging Face's cache (`models--ORG--NAME`) rather than a model. */
export function isHubRepository(folder: string): boolean {
  return existsSync(join(folder, 'snapshots')) && !existsSync(join(folder, 'config.json'));
}

/**
 * The folder of the model in a repository of Hugging Face's cache: the revision that `refs/main` names, otherwise the only
 * one.
 *
 * @throws FileUnavailable when the choice is ambiguous
 */
export async function snapshotIn(repository: string): Promise<string> {
  const found = await cachedSnapshot(repository);
  if (found !== undefined) return found;
  const present = await readdir(join(repository, 'snapshots')).catch((): string[] => []);
  const [first] = present;
  throw new FileUnavailable(repository, `it has ${present.length} snapshots, and refs/main names none of them`, {
    hint:
      first === undefined
        ? 'download the model again'
        : `give the folder of one: ${join(repository, 'snapshots', first)}`,
  });
}
