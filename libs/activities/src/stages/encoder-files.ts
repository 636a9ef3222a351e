import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  encoderFilesIn,
  FileUnavailable,
  findEncoder,
  isMegatronName,
  readEncoderConfig,
  UnsupportedFile,
} from '@nautil/formats';
import type { EncoderFiles, ResolvedRun } from '@nautil/contracts';
import type { Settings } from '@nautil/config';
import { DataError } from '@nautil/datasets';
import { parseEncoderConfig } from '@nautil/model';
import { fetchFromHub, HubRefused, HubUnavailable, isHttp } from '@nautil/store/download';
import { hubRepositoryFolder, isHubName } from '@nautil/store';
import { ModelNotFound } from '../errors.js';
import { allReused, amount, fetchedFile, type Fetched, type StageControl } from './fetched.js';

/** The files of a tokenizer that are read. */
const tokenizerFile =
  /^(?:tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(?:txt|json)|merges\.txt)$/;
export const isTokenizerFile = (name: string): boolean => tokenizerFile.test(name);

/** One of these makes a tokenizer. */
const vocabularies = ['tokenizer.json', 'vocab.txt', 'vocab.json'];

/** What is wanted of a model. */
interface Need {
  config: boolean;
  weights: boolean;
  tokenizer: boolean;
}

/**
 * The files of a run's encoder and tokenizer on this disk, as NeMo goes about it: `config_file` or `config` make an encoder
 * with random weights, else the named model is the architecture; `lm_checkpoint`'s weights go over all others. A model is
 * looked for as a path, an installed model, and in the hub's cache, and fetched from the hub when it is nowhere. An
 * architecture that is not computed is refused here, before its weights are fetched.
 *
 * @throws ModelNotFound with what was looked for where; UnsupportedEncoder, UnsupportedFile, and what fetching throws
 */
export async function findEncoderFiles(
  { model: { languageModel, tokenizer } }: Settings,
  run: ResolvedRun,
  control: StageControl,
): Promise<Fetched<EncoderFiles>> {
  let reused: boolean | undefined;
  const note = <T>(fetched: Fetched<T>): T => {
    reused = allReused(reused, fetched.reused);
    return fetched.made;
  };
  const local = async (path: string | null): Promise<string | undefined> =>
    path !== null && isHttp(path) ? note(await fetchedFile(path, { ...control, run })).path : (path ?? undefined);
  const lmCheckpoint = await local(languageModel.lmCheckpoint);
  const configFile = await local(languageModel.configFile);
  const vocabFile = await local(tokenizer.vocabFile);

  const { pretrainedModelName: name } = languageModel;
  const tokenizerName = tokenizer.tokenizerName ?? name;
  const given = await givenConfig(languageModel, configFile);
  if (given) parseEncoderConfig(given, configFile ?? 'model.language_model.config');
  if (lmCheckpoint !== undefined) await requireWeights(lmCheckpoint);
  const path =
    given === undefined && !(lmCheckpoint !== undefined && isMegatronName(name))
      ? await findModel(name, 'model.language_model.pretrained_model_name', control, {
          config: true,
          weights: lmCheckpoint === undefined,
          tokenizer: vocabFile === undefined && tokenizerName === name,
        }).then(note, async (error: unknown) => {
          // Better than nothing: the architecture that lies with the checkpoint, where the model's own is nowhere.
          if (!(error instanceof ModelNotFound) || lmCheckpoint === undefined) throw error;
          if (!(await tellsArchitecture(lmCheckpoint))) throw error;
          return undefined;
        })
      : undefined;

  const folder = path === undefined ? undefined : await folderOf(path);
  const tokenizerFolder =
    folder !== undefined && tokenizerName === name
      ? folder
      : note(await findTokenizer(tokenizerName, { vocabFile, lmCheckpoint, ...control }));
  const files = { path, configFile, lmCheckpoint, tokenizerFolder, vocabFile };
  const present = Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined));
  return { made: { name, ...present }, reused };
}

/** What is set as `config_file` or `config`; the file goes before. */
export async function givenConfig(
  { config }: Pick<Settings['model']['languageModel'], 'config'>,
  configFile: string | undefined,
): Promise<Record<string, unknown> | undefined> {
  if (configFile === undefined) return config ?? undefined;
  try {
    return JSON.parse(await readFile(configFile, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new DataError(`model.language_model.config_file: ${configFile} can't be read as JSON`, {
      hint: error instanceof SyntaxError ? error.message : "name a config.json of Hugging Face's layout",
      cause: error,
    });
  }
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

/** A `.nemo` holds its configuration; of others it lies beside the weights. */
const tellsArchitecture = async (path: string): Promise<boolean> =>
  /\.nemo$/i.test(path) || (await readEncoderConfig(path)) !== undefined;

/** Folder of a tokenizer; undefined where the vocabulary is a file of its own and no folder is known. */
async function findTokenizer(
  name: string,
  o: StageControl & { vocabFile: string | undefined; lmCheckpoint: string | undefined },
): Promise<Fetched<string | undefined>> {
  if (o.vocabFile !== undefined) {
    const found = await findEncoder(name).catch(() => undefined);
    return { made: found === undefined ? undefined : await folderOf(found), reused: undefined };
  }
  const beside = o.lmCheckpoint === undefined ? undefined : await folderOf(o.lmCheckpoint);
  if (beside !== undefined && isMegatronName(name) && hasVocabulary(beside)) return { made: beside, reused: undefined };
  const need = { config: false, weights: false, tokenizer: true };
  try {
    const found = await findModel(megatronTokenizer(name), 'model.tokenizer.tokenizer_name', o, need);
    return { made: await folderOf(found.made), reused: found.reused };
  } catch (error) {
    if (error instanceof ModelNotFound && beside !== undefined && hasVocabulary(beside)) {
      return { made: beside, reused: undefined };
    }
    throw error;
  }
}

/** NeMo gives Megatron-LM's models the vocabularies of BERT-large. */
function megatronTokenizer(name: string): string {
  if (!isMegatronName(name) || name.includes('biovocab')) return name;
  return name.endsWith('uncased') ? 'bert-large-uncased' : 'bert-large-cased';
}

/** A model on this disk that has what is needed, fetched when it is nowhere. */
async function findModel(name: string, key: string, control: StageControl, need: Need): Promise<Fetched<string>> {
  const found = await findEncoder(name).catch((error: unknown) => {
    if (error instanceof FileUnavailable) return error;
    throw error;
  });
  const isCached =
    typeof found === 'string' && !existsSync(name) && found.startsWith(hubRepositoryFolder({ type: 'model', name }));
  if (typeof found === 'string') {
    await requireSupported(found);
    const lack = await lackIn(found, need);
    if (lack === undefined) return { made: found, reused: isCached ? true : undefined };
    if (!isCached) throw lack;
  }
  const lookedAt = found instanceof FileUnavailable ? found.hint : `${found} is there, and is not whole`;
  if (isMegatronName(name) || !isHubName(name)) {
    throw new ModelNotFound(`${key}: ${name} is not on this machine`, { hint: lookedAt });
  }
  try {
    const { folder, fetchedBytes } = await fetchFromHub({
      repository: { type: 'model', name },
      choose: (paths) => chooseModelFiles(name, paths, need),
      // The configuration comes first: a model that is not computed is refused before its weights are fetched.
      onFile: async (path, file) => void (path === 'config.json' && (await requireSupported(dirname(file)))),
      signal: control.signal,
      onProgress: (done, total) => control.onProgress?.(`${name}: ${amount(done, total)}`),
    });
    return { made: folder, reused: fetchedBytes === 0 };
  } catch (error) {
    if (!(error instanceof HubUnavailable || error instanceof HubRefused) || error.retryable) throw error;
    throw new ModelNotFound(`${key}: ${name} is not on this machine, and ${error.message}`, {
      hint: [lookedAt, error.hint].filter((line) => line !== undefined).join('\n'),
      cause: error,
    });
  }
}

/** @throws UnsupportedEncoder */
async function requireSupported(path: string): Promise<void> {
  const config = await readEncoderConfig(path);
  if (config) parseEncoderConfig(config, path);
}

/** Why a model on this disk can't be used; undefined when it can. */
async function lackIn(path: string, need: Need): Promise<Error | undefined> {
  if (need.weights) {
    const lack = await encoderFilesIn(path).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (lack instanceof FileUnavailable || lack instanceof UnsupportedFile) return lack;
    if (lack !== undefined) throw lack;
  } else if (need.config && !(await tellsArchitecture(path))) {
    return new UnsupportedFile(path, 'there is no config.json in it', {
      hint: 'set model.language_model.config_file, or name a model with its configuration',
    });
  }
  const folder = await folderOf(path);
  if (!need.tokenizer || hasVocabulary(folder) || /\.nemo$/i.test(path)) return undefined;
  return new UnsupportedFile(folder, `holds no tokenizer: none of ${vocabularies.join(', ')} is there`, {
    hint: 'set model.tokenizer.vocab_file, or model.tokenizer.tokenizer_name to a folder or a model that has one',
  });
}

const hasVocabulary = (folder: string): boolean => vocabularies.some((name) => existsSync(join(folder, name)));

const folderOf = async (path: string): Promise<string> => ((await stat(path)).isDirectory() ? path : dirname(path));

const weightFiles: readonly RegExp[] = [
  /^model\.safetensors$/,
  /^model(?:\.safetensors\.index\.json|-\d+-of-\d+\.safetensors)$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model(?:\.bin\.index\.json|-\d+-of-\d+\.bin)$/,
];

/** The configuration first; of the weights one form only, safetensors before PyTorch's. */
function chooseModelFiles(name: string, paths: readonly string[], need: Need): string[] {
  const chosen = paths.filter((path) => need.config && path === 'config.json');
  if (need.config && chosen.length === 0) {
    throw new UnsupportedFile(`${name} on the hub`, 'there is no config.json in it: it is no model of transformers');
  }
  if (need.tokenizer) {
    const tokenizer = paths.filter(isTokenizerFile);
    if (!tokenizer.some((path) => vocabularies.includes(path))) {
      throw new UnsupportedFile(
        `${name} on the hub`,
        `holds no tokenizer: none of ${vocabularies.join(', ')} is there`,
        {
          hint: 'set model.tokenizer.tokenizer_name to a model that has one, or model.tokenizer.vocab_file',
        },
      );
    }
    chosen.push(...tokenizer);
  }
  if (need.weights) {
    const weights = weightFiles.map((form) => paths.filter((path) => form.test(path))).find(({ length }) => length > 0);
    if (weights === undefined) {
      const other = paths.filter((path) => /\.(?:h5|msgpack|onnx|gguf|ot)$/.test(path)).map((path) => basename(path));
      throw new UnsupportedFile(
        `${name} on the hub`,
        other.length > 0
          ? `its weights, ${other.slice(0, 3).join(', ')}, are of another framework`
          : 'there are no weights in it',
        { hint: 'model.safetensors or pytorch_model.bin is needed, whole or in shards' },
      );
    }
    chosen.push(...weights);
  }
  return chosen;
}
