import type { Settings } from '@nautil/config';
import type { EncoderFiles, ResolvedRun } from '@nautil/contracts';
import { fetchEncoder } from '@nautil/formats';
import { encoderLayout } from '@nautil/model';
import { isHttp } from '@nautil/store/download';
import { allReused, amount, fetchedFile, type Fetched, type StageControl } from './fetched.js';

/** Provides the files of a run's encoder and tokenizer on this disk. Downloads what the configuration gives as a URL. */
export async function findEncoderFiles(
  { model: { languageModel, tokenizer } }: Settings,
  run: ResolvedRun,
  control: StageControl,
): Promise<Fetched<EncoderFiles>> {
  const reused: (boolean | undefined)[] = [];
  const localPath = async (location: string | null): Promise<string | undefined> => {
    if (location === null || !isHttp(location)) return location ?? undefined;
    const fetched = await fetchedFile(location, { ...control, run });
    reused.push(fetched.reused);
    return fetched.made.path;
  };
  const encoder = await fetchEncoder({
    name: languageModel.pretrainedModelName,
    lmCheckpoint: await localPath(languageModel.lmCheckpoint),
    configFile: await localPath(languageModel.configFile),
    config: languageModel.config,
    tokenizerName: tokenizer.tokenizerName ?? undefined,
    vocabFile: await localPath(tokenizer.vocabFile),
    layout: encoderLayout,
    signal: control.signal,
    onProgress: (model, done, total) => control.onProgress?.(`${model}: ${amount(done, total)}`),
  });
  return { made: encoder.files, reused: allReused(...reused, encoder.reused) };
}
