import { type Config, ConfigError } from '@nautil/config';
import type { EncoderFiles } from '@nautil/contracts';
import { givenEncoderConfig } from '@nautil/formats/encoder';
import { type EncoderConfig, parseEncoderConfig } from '@nautil/model';
import type { Tokenizer } from '@nautil/tokenization';
import { encoderConfigOf } from '@nautil/training';
import { encoderNameOf } from './encoder-files.js';

const lengthKey = 'model.dataset.max_seq_length';

/** The value that NeMo's configuration has for every encoder, however short its positions are. */
const defaultLength = 256;

/** The architecture of a run's encoder, read from its files. No weight is read. */
export async function readEncoderLimits(files: EncoderFiles, { model }: Config): Promise<EncoderConfig> {
  const { path, lmCheckpoint, configFile, name } = files;
  const config = await givenEncoderConfig({ configFile, config: model.language_model.config });
  return parseEncoderConfig(await encoderConfigOf({ path, lmCheckpoint, config }), path ?? lmCheckpoint ?? name);
}

/**
 * The length in tokens at which a run truncates its texts: `max_seq_length`, or the longest that the encoder has positions
 * for where that is -1 or 0.
 *
 * @returns a note where the encoder is shorter than the default
 * @throws ConfigError for another length that the encoder has no positions for
 */
export function truncationLength({ model }: Config, encoder: EncoderConfig): { tokens: number; note?: string } {
  const asked = model.dataset.max_seq_length;
  const longest = encoder.maxLength;
  if (asked < 1) return { tokens: longest };
  if (asked <= longest) return { tokens: asked };
  const reason = `the encoder has positions for ${longest} tokens`;
  if (asked === defaultLength) return { tokens: longest, note: `texts are truncated at ${longest} tokens: ${reason}` };
  throw new ConfigError([
    {
      key: lengthKey,
      message: `${lengthKey} is ${asked}, and ${reason}`,
      hint: [`set it to at most ${longest}, or to -1 for as much as the encoder takes`],
    },
  ]);
}

/** @throws ConfigError when the tokenizer has ids for which the encoder has no embedding */
export function requireEmbeddings(
  { vocabSize }: Pick<Tokenizer, 'vocabSize'>,
  encoder: EncoderConfig,
  { model }: Pick<Config, 'model'>,
): void {
  if (vocabSize <= encoder.vocabSize) return;
  const { key, hint } = tokenizerSetting(model);
  throw new ConfigError([
    {
      key,
      message: `${key}: the tokenizer has ${vocabSize} ids, and the encoder ${encoderNameOf(model)} has embeddings for ${encoder.vocabSize}`,
      hint: [hint],
    },
  ]);
}

/** The key that decides which tokenizer a run has, and what to do where it is the wrong one. */
function tokenizerSetting({ tokenizer, language_model }: Config['model']): { key: string; hint: string } {
  const asEncoder = 'leave the key out for the tokenizer beside the encoder';
  const pretrained = 'the tokenizer that the encoder was pretrained with';
  if (tokenizer.vocab_file !== null)
    return { key: 'model.tokenizer.vocab_file', hint: `name the vocabulary of ${pretrained}, or ${asEncoder}` };
  if (tokenizer.tokenizer_model !== null)
    return { key: 'model.tokenizer.tokenizer_model', hint: `name the model of ${pretrained}, or ${asEncoder}` };
  const { pretrained_model_name: encoder } = language_model;
  const key = 'model.tokenizer.tokenizer_name';
  if (tokenizer.tokenizer_name !== null && tokenizer.tokenizer_name !== encoder)
    return { key, hint: `name ${pretrained}, or ${asEncoder}` };
  return {
    key: 'model.language_model.pretrained_model_name',
    hint: `the tokenizer beside the encoder is not its own: ${key}=FOLDER names ${pretrained}`,
  };
}
