import type { ResolvedRun, Source, StageResult } from '@nautil/contracts';
import { findEncoderFiles } from './encoder-files.js';
import { allReused } from './fetch.js';
import { findData } from './find-data.js';
import { requireTrainingData } from './require-training-data.js';
import { configOf } from './run-settings.js';
import type { DownloadControl } from './stage-control.js';

/**
 * Downloads the raw data and the encoder of a run from HTTP(S) URLs and the Hugging Face hub, unless they are already on this
 * machine. Files are verified against their digests, where these are known, and become visible only when complete.
 */
export async function download(
  { run }: { run: ResolvedRun },
  control: DownloadControl = {},
): Promise<StageResult<Source>> {
  const { config } = await configOf(run);
  requireTrainingData(config);
  // The encoder comes first, so that an unknown name is reported before gigabytes of data are downloaded.
  const encoder = await findEncoderFiles(config, run, control);
  const data = await findData(config, run, control);
  const { folder, train, tables } = data.made;
  const { path, lmCheckpoint, configFile } = encoder.made;
  const weights = lmCheckpoint ?? path ?? `of random weights by ${configFile ?? 'model.language_model.config'}`;
  return {
    data: data.made,
    encoder: encoder.made,
    reused: allReused(data.reused, encoder.reused) ?? false,
    detail: `data ${folder ?? train ?? tables?.train.join(', ')}, encoder ${weights}`,
  };
}
