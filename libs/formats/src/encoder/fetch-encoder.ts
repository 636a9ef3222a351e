import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type EncoderFiles, isJsonObject, type JsonObject } from '@nautil/contracts';
import { fetchFromHub, HubRefused, HubUnavailable, isHubName, NotDownloaded } from '@nautil/store/download';
import { FileUnavailable, ModelNotFound, UnsupportedFile } from '../errors.js';
import { readJsonFile } from '../json.js';
import { chooseHubFiles, type NeededParts } from './choose-hub-files.js';
import type { EncoderLayout } from './encoder.js';
import {
  encoderFilesIn,
  findConfig,
  folderOf,
  hasVocabulary,
  isNemo,
  readEncoderConfig,
  vocabularyNames,
} from './encoder-files.js';
import { findEncoder, locateEncoder } from './find-encoder.js';
import { isMegatronName, tokenizerModel } from './megatron-names.js';

/** What the configuration says about a run's encoder and tokenizer. All files are local paths. */
export interface EncoderToFetch {
  /** `pretrained_model_name`: a path, an installed model, or a model on the hub. */
  readonly name: string;

  /** `lm_checkpoint`: weights that replace those of every other source. */
  readonly lmCheckpoint?: string | undefined;

  /** `config_file`: the architecture of an encoder with random weights. */
  readonly configFile?: string | undefined;

  /** `config`: the same architecture inline. `configFile` takes precedence. */
  readonly config?: unknown;

  /** `tokenizer_name`. Default: `name`. */
  readonly tokenizerName?: string | undefined;

  /** `vocab_file`. */
  readonly vocabFile?: string | undefined;

  /** Throws for an architecture that is not supported, which stops the download before the weights. */
  readonly layout: EncoderLayout;
  readonly signal?: AbortSignal | undefined;

  /** Throws NotDownloaded instead of downloading. */
  readonly cachedOnly?: boolean | undefined;
  readonly onProgress?: ((model: string, doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface FetchedEncoder {
  readonly files: EncoderFiles;

  /** Whether everything was already in Hugging Face's cache. Undefined if all files belong to the user. */
  readonly reused: boolean | undefined;
}

/**
 * Provides the encoder and the tokenizer of a run on this disk, with NeMo's precedence: `configFile` or `config` define an
 * encoder with random weights; otherwise the named model defines the architecture. `lmCheckpoint` replaces the weights of
 * either. The model is searched as `findEncoder` does, and downloaded from the hub if it is not found.
 *
 * @throws ModelNotFound with the places that were searched; UnsupportedFile; what `layout` throws; what downloading throws
 */
export async function fetchEncoder(o: EncoderToFetch): Promise<FetchedEncoder> {
  const { name, lmCheckpoint, configFile, vocabFile, tokenizerName = name } = o;
  const given = await givenEncoderConfig(o);
  if (given) o.layout(given, configFile ?? 'model.language_model.config');
  if (lmCheckpoint !== undefined) await requireWeights(lmCheckpoint);

  const isOwnCheckpoint = lmCheckpoint !== undefined && isMegatronName(name);
  const model = given !== undefined || isOwnCheckpoint ? undefined : await fetchModel(o, tokenizerName);
  const folder = model && (await folderOf(model.path));
  const tokenizer =
    folder !== undefined && tokenizerName === name
      ? { path: folder, reused: undefined }
      : await fetchTokenizer(o, tokenizerName);

  const files = { path: model?.path, configFile, lmCheckpoint, tokenizerFolder: tokenizer?.path, vocabFile };
  const present = Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined));
  const reused = [model?.reused, tokenizer?.reused].filter((each) => each !== undefined);
  return { files: { name, ...present }, reused: reused.length === 0 ? undefined : !reused.includes(false) };
}

/** The architecture that the configuration itself gives, from `config_file` or `config`. */
export async function givenEncoderConfig({
  configFile,
  config,
}: Pick<EncoderToFetch, 'configFile' | 'config'>): Promise<JsonObject | undefined> {
  if (configFile !== undefined) return readJsonFile(configFile);
  return isJsonObject(config) ? config : undefined;
}

/** A model on this disk. */
interface LocalModel {
  readonly path: string;

  /** As in `FetchedEncoder`. */
  readonly reused: boolean | undefined;
}

async function requireWeights(lmCheckpoint: string): Promise<void> {
  await encoderFilesIn(lmCheckpoint).catch((error: unknown) => {
    if (!(error instanceof FileUnavailable) || existsSync(lmCheckpoint)) throw error;
    throw new ModelNotFound(`model.language_model.lm_checkpoint: there is no ${lmCheckpoint}`, {
      hint: 'name a file of weights (PyTorch, safetensors, Megatron-LM), its folder, or an http(s) address',
      cause: error,
    });
  });
}

/** The model that defines the architecture. Undefined if only `lmCheckpoint` has a configuration. */
async function fetchModel(o: EncoderToFetch, tokenizerName: string): Promise<LocalModel | undefined> {
  const { name, lmCheckpoint, vocabFile } = o;
  const needed = {
    config: true,
    weights: lmCheckpoint === undefined,
    tokenizer: vocabFile === undefined && tokenizerName === name,
  };
  try {
    return await provideModel(o, name, 'model.language_model.pretrained_model_name', needed);
  } catch (error) {
    const canFallBack = error instanceof ModelNotFound && lmCheckpoint !== undefined;
    if (canFallBack && (await hasArchitecture(lmCheckpoint))) return undefined;
    throw error;
  }
}

/** The folder of the tokenizer. Undefined if `vocabFile` is all there is. */
async function fetchTokenizer(o: EncoderToFetch, name: string): Promise<LocalModel | undefined> {
  if (o.vocabFile !== undefined) {
    const found = await findEncoder(name).catch(() => undefined);
    return found === undefined ? undefined : { path: await folderOf(found), reused: undefined };
  }
  const checkpointFolder = o.lmCheckpoint === undefined ? undefined : await folderOf(o.lmCheckpoint);
  const besideCheckpoint =
    checkpointFolder !== undefined && hasVocabulary(checkpointFolder)
      ? { path: checkpointFolder, reused: undefined }
      : undefined;
  if (besideCheckpoint && isMegatronName(name)) return besideCheckpoint;
  try {
    const needed = { config: false, weights: false, tokenizer: true };
    const found = await provideModel(o, tokenizerModel(name), 'model.tokenizer.tokenizer_name', needed);
    return { ...found, path: await folderOf(found.path) };
  } catch (error) {
    if (error instanceof ModelNotFound && besideCheckpoint) return besideCheckpoint;
    throw error;
  }
}

/** A model with the needed parts: found on this machine, or downloaded. `key` is the setting that names it, for errors. */
async function provideModel(o: EncoderToFetch, name: string, key: string, needed: NeededParts): Promise<LocalModel> {
  const found = await locateEncoder(name).catch((error: unknown) => {
    if (error instanceof FileUnavailable) return error;
    throw error;
  });
  let searched = found instanceof FileUnavailable ? found.hint : undefined;
  if (!(found instanceof FileUnavailable)) {
    await requireSupported(found.path, o.layout);
    const problem = await missingPart(found.path, needed);
    if (problem === undefined) return { path: found.path, reused: found.inHubCache ? true : undefined };
    if (!found.inHubCache) throw problem;
    searched = `the cache has only a part of it: ${problem.message}`;
  }
  const hint = (more?: string) => [searched, more].filter((line) => line !== undefined).join('\n');
  if (isMegatronName(name) || !isHubName(name)) {
    throw new ModelNotFound(`${key}: ${name} is not on this machine`, { hint: hint() });
  }
  if (o.cachedOnly === true) throw new NotDownloaded(`the model ${name}`, { repository: { type: 'model', name }, key });
  try {
    const { folder, fetchedBytes } = await fetchFromHub({
      repository: { type: 'model', name },
      choose: (listing) => chooseHubFiles(name, listing, needed),
      onFile: async (path, file) => {
        if (path === 'config.json') await requireSupported(dirname(file), o.layout);
      },
      signal: o.signal,
      onProgress: (done, total) => o.onProgress?.(name, done, total),
    });
    return { path: folder, reused: fetchedBytes === 0 };
  } catch (error) {
    if (!(error instanceof HubUnavailable || error instanceof HubRefused) || error.retryable) throw error;
    throw new ModelNotFound(`${key}: ${name} is not on this machine, and ${error.message}`, {
      hint: [`set ${key} to a model on this machine, or`, hint(error.hint)].join('\n'),
      cause: error,
    });
  }
}

async function requireSupported(path: string, layout: EncoderLayout): Promise<void> {
  const file = await findConfig(path);
  if (file !== undefined) layout(await readJsonFile(file), file);
}

/** An error that describes the needed part that a model on this disk lacks, if any. */
async function missingPart(path: string, needed: NeededParts): Promise<Error | undefined> {
  if (needed.weights) {
    try {
      await encoderFilesIn(path);
    } catch (error) {
      if (error instanceof FileUnavailable || error instanceof UnsupportedFile) return error;
      throw error;
    }
  } else if (needed.config && !(await hasArchitecture(path))) {
    return new UnsupportedFile(path, 'there is no config.json in it', {
      hint: 'set model.language_model.config_file, or name a model with its configuration',
    });
  }
  const folder = await folderOf(path);
  if (!needed.tokenizer || hasVocabulary(folder) || isNemo(path)) return undefined;
  return new UnsupportedFile(folder, `it has no tokenizer: none of ${vocabularyNames.join(', ')}`, {
    hint: 'set model.tokenizer.vocab_file, or model.tokenizer.tokenizer_name to a folder or a model that has one',
  });
}

/** A `.nemo` contains its configuration; other files have it next to them. */
const hasArchitecture = async (path: string): Promise<boolean> =>
  isNemo(path) || (await readEncoderConfig(path)) !== undefined;
