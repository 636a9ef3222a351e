import type { Config } from '@nautil/config';
import type { EncoderFiles, ResolvedRun } from '@nautil/contracts';
import { fetchEncoder } from '@nautil/formats/encoder';
import { encoderLayout } from '@nautil/model';
import { isHttp } from '@nautil/store/download';
import { requireSupportedTokenizer } from '@nautil/tokenization';
import { allReused, amount, type Fetched, fetchedFile } from './fetch.js';
import type { DownloadControl } from './stage-control.js';

/** Provides the files of a run's encoder and tokenizer on this disk. Downloads what the configuration gives as a URL. */
export async function findEncoderFiles(
  { model }: Pick<Config, 'model'>,
  run: ResolvedRun,
  control: DownloadControl,
): Promise<Fetched<EncoderFiles>> {
  requireSupportedTokenizer(tokenizerNameOf(model) ?? undefined);
  const reused: (boolean | undefined)[] = [];
  const localPath = async (location: string | null): Promise<string | undefined> => {
    if (location === null || !isHttp(location)) return location ?? undefined;
    const fetched = await fetchedFile(location, { ...control, run });
    reused.push(fetched.reused);
    return fetched.made.path;
  };
  const encoder = await fetchEncoder({
    name: encoderNameOf(model),
    lmCheckpoint: await localPath(model.language_model.lm_checkpoint),
    configFile: await localPath(model.language_model.config_file),
    config: model.language_model.config,
    tokenizerName: tokenizerNameOf(model) ?? undefined,
    vocabFile: await localPath(vocabularyFileOf(model)),
    layout: encoderLayout,
    signal: control.signal,
    cachedOnly: control.cachedOnly,
    onProgress: (name, done, total) => control.onProgress?.(`${name}: ${amount(done, total)}`),
  });
  return { made: encoder.files, reused: allReused(...reused, encoder.reused) };
}

/** Name of the encoder; empty where the configuration has none. */
export const encoderNameOf = ({ language_model }: Pick<Config['model'], 'language_model'>): string =>
  language_model.pretrained_model_name ?? '';

/** Name of the tokenizer, which is that of the encoder unless the configuration has another. */
export const tokenizerNameOf = ({
  tokenizer,
  language_model,
}: Pick<Config['model'], 'tokenizer' | 'language_model'>): string | null =>
  tokenizer.tokenizer_name ?? language_model.pretrained_model_name;

/** The file that replaces the tokenizer's vocabulary. Only one of the two keys is set. */
export const vocabularyFileOf = ({ tokenizer }: Pick<Config['model'], 'tokenizer'>): string | null =>
  tokenizer.vocab_file ?? tokenizer.tokenizer_model;
