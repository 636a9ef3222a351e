import { join } from 'node:path';
import type { Config } from '@nautil/config';
import type { CachedInputs, FileRef, ResolvedRun, StageResult, TokenCacheRef, TokenizedData } from '@nautil/contracts';
import { counted } from '@nautil/contracts';
import { examplesOf, readExamples } from '@nautil/datasets';
import { type Echo, logRead } from '@nautil/nemo';
import { fileRef, requireIntact, stageOutput, Store } from '@nautil/store';
import { buildTokenCache, type LoadedTokenizer, tokenCacheKey } from '@nautil/tokenization';
import { tokenizerNameOf } from './encoder-files.js';
import { readEncoderLimits, requireEmbeddings, truncationLength } from './encoder-limits.js';
import { isSwitchedOff } from './require-batches.js';
import { configOf, redoOf } from './run-settings.js';
import { settingsWithoutEffectOn } from './settings-without-effect.js';
import { sharedTokenizer } from './shared-tokenizer.js';
import type { StageControl } from './stage-control.js';

/** Version of the stored output. Raise it when the output changes, so that outputs of older code are not reused. */
const outputVersion = 2;

/**
 * Tokenizes the run's splits into files. With `use_cache`, the files are in the store, where other runs with the same text,
 * tokenizer and length find them. Otherwise they are in the run's folder, where only a retry or a resumed run finds them.
 */
export async function tokenize(
  o: { run: ResolvedRun; inputs: CachedInputs; echo?: Echo },
  onProgress?: StageControl['onProgress'],
): Promise<StageResult<TokenizedData>> {
  const { config } = await configOf(o.run);
  const tokenizer = await tokenizerOf(config, o.inputs);
  const encoder = await readEncoderLimits(o.inputs.encoder, config);
  requireEmbeddings(tokenizer, encoder, config);
  const { tokens: maxLength, note } = truncationLength(config, encoder);
  const redo = redoOf(o.run, 'tokenize');
  const { train_ds, validation_ds, test_ds, dataset } = config.model;
  const { pairs } = o.inputs.data;
  const store = dataset.use_cache ? new Store() : new Store(join(o.run.folder, 'tokens'));
  let reused = true;
  let tokens = 0;
  const damage: string[] = [];
  const cacheOf = async (split: string, file: FileRef, ds: Config['model']['train_ds']): Promise<TokenCacheRef> => {
    const identity = {
      textSha256: file.sha256,
      tokenizerDigest: tokenizer.digest,
      maxLength,
      numSamples: ds.num_samples,
      ...(pairs === true ? { pairs } : {}),
    };
    const build = async ({ folder }: { folder: string }) => {
      await requireIntact(file);
      const out = join(folder, `${split}.tokens`);
      const summary = await buildTokenCache({
        examples: examplesOf(readExamples(file.path, { numSamples: ds.num_samples, pairs }), () => undefined),
        pairs,
        out,
        tokenizer,
        maxLength,
        key: tokenCacheKey(identity),
        numWorkers: ds.num_workers,
        onProgress: (examples) => onProgress?.(`${split}: ${counted(examples, 'example')}`),
      });
      const { examples, truncated, lengths, samples } = summary;
      return { file: await fileRef(out), tokens: summary.tokens, summary: { examples, truncated, lengths, samples } };
    };
    const made = await stageOutput('tokenize', { ...identity, format: outputVersion, redo }, build, { store });
    reused &&= made.reused;
    for (const warning of made.warnings) damage.push(warning);
    tokens += made.output.tokens;
    logRead(o.run, { file: ds.file_path ?? file.path, summary: made.output.summary }, maxLength, o.echo);
    const { examples, truncated } = made.output.summary;
    return { file: made.output.file, examples, truncated };
  };
  const { train, validation, test } = o.inputs.data;
  const data: TokenizedData = {
    train: await cacheOf('train', train, train_ds),
    ...(validation && !isSwitchedOff('validation', config)
      ? { validation: await cacheOf('validation', validation, validation_ds) }
      : {}),
    ...(test && !isSwitchedOff('test', config) ? { test: await cacheOf('test', test, test_ds) } : {}),
    tokenizerDigest: tokenizer.digest,
  };
  const { notes, warnings } = tokenizer;
  const found = [
    ...(note === undefined ? [] : [note]),
    ...notes,
    ...warnings,
    ...settingsWithoutEffectOn(tokenizer, config),
    ...damage,
  ];
  return { ...data, reused, detail: `${tokens} tokens by ${tokenizer.name}`, notes: found };
}

/** Loads the tokenizer of a run from the encoder's files. */
export async function tokenizerOf(config: Config, { encoder }: CachedInputs): Promise<LoadedTokenizer> {
  const { tokenizer, dataset } = config.model;
  return sharedTokenizer({
    folder: encoder.tokenizerFolder,
    vocabFile: encoder.vocabFile,
    name: tokenizerNameOf(config.model) ?? encoder.name,
    specialTokens: tokenizer.special_tokens,
    doLowerCase: dataset.do_lower_case ?? undefined,
    mode: config.nautil.tokenization.mode,
  });
}
