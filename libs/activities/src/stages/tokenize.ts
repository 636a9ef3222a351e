import { join } from 'node:path';
import type { CachedInputs, FileRef, Made, ResolvedRun, TokenCacheRef, TokenizedData } from '@nautil/contracts';
import type { DatasetSettings, Settings } from '@nautil/config';
import { examplesOf, readExamples } from '@nautil/datasets';
import { fileRef, stageOutput } from '@nautil/store';
import { buildTokenCache, loadTokenizer, tokenCacheKey, type LoadedTokenizer } from '@nautil/tokenization';
import { logRead, type Echo } from './experiment.js';
import { configOf, redoOf } from './run-settings.js';

/** Of what the stage keeps: raise it when that changes, so that what older code kept is not read as new. */
const format = 2;

/** Called now and then during a long stage. */
export type OnProgress = (detail: string) => void;

/** Token caches of the run's splits. */
export async function tokenize(
  o: { run: ResolvedRun; inputs: CachedInputs; echo?: Echo },
  onProgress: OnProgress = () => {},
): Promise<Made<TokenizedData>> {
  const { settings } = await configOf(o.run);
  const tokenizer = await tokenizerOf(settings, o.inputs);
  const redo = redoOf(o.run, 'tokenize');
  const { trainDs, validationDs, testDs, dataset } = settings.model;
  let reused = true;
  let tokens = 0;
  const cacheOf = async (split: string, file: FileRef, ds: DatasetSettings): Promise<TokenCacheRef> => {
    const identity = {
      textSha256: file.sha256,
      tokenizerDigest: tokenizer.digest,
      maxLength: dataset.maxSeqLength,
      numSamples: ds.numSamples,
    };
    const made = await stageOutput('tokenize', { ...identity, format, redo }, async ({ folder }) => {
      const out = join(folder, `${split}.tokens`);
      const summary = await buildTokenCache({
        examples: examplesOf(readExamples(file.path, { numSamples: ds.numSamples }), () => {}),
        out,
        tokenizer,
        maxLength: dataset.maxSeqLength,
        key: tokenCacheKey(identity),
        numWorkers: ds.numWorkers,
        onProgress: (examples) => onProgress(`${split}: ${examples} examples`),
      });
      const { examples, tokens, truncated, lengths, samples } = summary;
      return { file: await fileRef(out), tokens, summary: { examples, truncated, lengths, samples } };
    });
    reused &&= made.reused;
    tokens += made.output.tokens;
    logRead(o.run, { file: ds.filePath ?? file.path, summary: made.output.summary }, dataset.maxSeqLength, o.echo);
    return { file: made.output.file, examples: made.output.summary.examples };
  };
  const { train, validation, test } = o.inputs.data;
  const data: TokenizedData = {
    train: await cacheOf('train', train, trainDs),
    ...(validation ? { validation: await cacheOf('validation', validation, validationDs) } : {}),
    ...(test ? { test: await cacheOf('test', test, testDs) } : {}),
    tokenizerDigest: tokenizer.digest,
  };
  return { ...data, reused, detail: [`${tokens} tokens by ${tokenizer.name}`, ...tokenizer.warnings].join('; ') };
}

/** The tokenizer of a run, from the files that the encoder came with. */
export async function tokenizerOf(settings: Settings, { encoder }: CachedInputs): Promise<LoadedTokenizer> {
  const { tokenizer, dataset } = settings.model;
  return loadTokenizer({
    folder: encoder.tokenizerFolder,
    vocabFile: encoder.vocabFile,
    name: tokenizer.tokenizerName ?? encoder.name,
    specialTokens: tokenizer.specialTokens,
    doLowerCase: dataset.doLowerCase || undefined,
    mode: settings.nautil.tokenization.mode,
  });
}
