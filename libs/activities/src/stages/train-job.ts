import type { CachedInputs, ResolvedRun, TokenizedData } from '@nautil/contracts';
import { classWeights, labelCounts, readLabelNames } from '@nautil/datasets';
import { givenEncoderConfig } from '@nautil/formats/encoder';
import { requireIntact } from '@nautil/store';
import type { TrainJob } from '@nautil/training';
import { configOf, resultDigestOf } from './run-settings.js';

/** The trainer's job; its `digests` identify everything that affects the results. */
export async function trainJobOf(o: {
  run: ResolvedRun;
  inputs: CachedInputs;
  tokens: TokenizedData;
  folder: string;
}): Promise<TrainJob> {
  const { config } = await configOf(o.run);
  const { inputs, tokens } = o;
  const { numClasses, train, labels, digest, pairs } = inputs.data;
  const isWeighted = config.model.dataset.class_balancing === 'weighted_loss';
  await requireIntact([labels, ...(isWeighted ? [train] : [])]);
  return {
    config,
    ...(o.run.fromEnvironment && { hidden: o.run.fromEnvironment.names }),
    folder: o.folder,
    logDir: o.run.logDir,
    ...(o.run.resumeFrom === undefined ? {} : { resumeFrom: o.run.resumeFrom }),
    trainCache: tokens.train.file.path,
    ...(tokens.validation ? { validationCache: tokens.validation.file.path } : {}),
    encoder: {
      path: inputs.encoder.path,
      lmCheckpoint: inputs.encoder.lmCheckpoint,
      config: await givenEncoderConfig({
        configFile: inputs.encoder.configFile,
        config: config.model.language_model.config,
      }),
    },
    numClasses,
    ...(labels ? { labelNames: await readLabelNames(labels.path) } : {}),
    ...(isWeighted
      ? { classWeights: classWeights((await labelCounts(train.path, { pairs })).counts, numClasses) }
      : {}),
    digests: {
      // The members of a group compare their digests, and their files may be in different places.
      config: o.run.group === undefined ? o.run.configDigest : resultDigestOf(config, { paths: false }),
      data: digest,
      encoder: inputs.encoderDigest,
      tokenizer: tokens.tokenizerDigest,
      numClasses: String(numClasses),
      ...(pairs === true ? { pairs: 'true' } : {}),
    },
  };
}
