import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ModelPreset, modelPresets, userPath } from '@nautil/config';
import { NautilError } from '@nautil/contracts';
import { FileUnavailable } from '@nautil/formats';
import { findEncoder } from '@nautil/formats/encoder';
import { learningRateForWidth } from '@nautil/metrics';
import { type EncoderConfig, parseEncoderConfig } from '@nautil/model';
import { isHubName } from '@nautil/store/download';
import { loadTokenizer, requireSupportedTokenizer, type Tokenizer } from '@nautil/tokenization';
import { encoderConfigOf } from '@nautil/training';

/** An encoder for a new configuration. */
export interface EncoderChoice {
  /** `model.language_model.pretrained_model_name`. */
  model: string;

  /** The preset of `conf/model` with this model. */
  preset?: string;
  lr: number;

  /** Where the learning rate is from, in words. */
  lrFrom: string;

  /** Absent for an encoder that the first run downloads. */
  local?: LocalEncoder;
}

/** What is known of an encoder on this machine. */
interface LocalEncoder {
  config: EncoderConfig;
  tokenizer: Tokenizer;
}

/** The writing system of most letters. */
export type Script = 'Latin' | 'Chinese' | 'other';

/** The presets that suit a writing system, the proposed one first. The English one is small enough for a processor. */
export const presetsFor: Readonly<Record<Script, readonly [string, ...string[]]>> = {
  Latin: ['bge-small-en', 'bert-base-uncased', 'bert-base-multilingual-cased'],
  Chinese: ['bert-base-chinese', 'bert-base-multilingual-cased'],
  other: ['bert-base-multilingual-cased', 'xlm-roberta-base'],
};

/** The presets whose models are on this machine, the smallest first: the processor trains it, unless the user names another. */
export async function localEncoders(): Promise<EncoderChoice[]> {
  const found = await Promise.all((await modelPresets()).map(withPreset));
  const sizeOf = ({ local }: EncoderChoice): number =>
    (local?.config.numLayers ?? 0) * (local?.config.hiddenSize ?? 0) ** 2;
  return found.filter(({ local }) => local !== undefined).sort((a, b) => sizeOf(a) - sizeOf(b));
}

/**
 * The encoder that a user names: a preset, a model on the hub or on this machine, or a folder.
 *
 * @throws FileUnavailable for a name that is none of these; what reading a local model throws
 */
export async function encoderNamed(name: string, cwd: string): Promise<EncoderChoice> {
  const presets = await modelPresets();
  const preset = presets.find((one) => one.name === name) ?? presets.find(({ model }) => model === name);
  if (preset) return withPreset(preset);
  requireSupportedTokenizer(name);
  const place = userPath(cwd, name);
  const local = await localEncoder(place).then((found) => found ?? localEncoder(name));
  if (local === undefined && !isHubName(name)) {
    throw new FileUnavailable(name, "--encoder: it does not exist, and can't be a name on the Hugging Face hub", {
      hint: `the presets are ${presets.map((one) => one.name).join(', ')}`,
    });
  }
  if (local === undefined)
    return {
      model: name,
      lr: learningRateForWidth(768),
      lrFrom: 'for an encoder of BERT base’s width, which may not be its own',
    };
  const { hiddenSize } = local.config;
  return {
    model: name,
    lr: learningRateForWidth(hiddenSize),
    lrFrom: `for an encoder that is ${hiddenSize} wide`,
    local,
  };
}

/** NOTE: a model that is only partly in the cache, or that can't be read, is one that the first run downloads. */
async function withPreset({ name, model, lr }: ModelPreset): Promise<EncoderChoice> {
  const local = await localEncoder(model).catch((error: unknown) => {
    if (error instanceof NautilError) return undefined;
    throw error;
  });
  return { model, preset: name, lr, lrFrom: 'the preset’s, for an encoder of this size', ...(local && { local }) };
}

/** Undefined for a model that is not on this machine. @throws what reading it throws */
async function localEncoder(name: string): Promise<LocalEncoder | undefined> {
  const path = await findEncoder(name).catch((error: unknown) => {
    if (error instanceof FileUnavailable) return undefined;
    throw error;
  });
  if (path === undefined) return undefined;
  const config = parseEncoderConfig(await encoderConfigOf({ path }), path);
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  return { config, tokenizer: await loadTokenizer({ folder, name }) };
}
