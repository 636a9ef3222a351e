import { basename } from 'node:path';
import { listEncoderFiles } from '@nautil/formats';
import type {
  CachedInputs,
  EncoderFiles,
  FileRef,
  LabelledData,
  StageResult,
  ResolvedRun,
  Source,
} from '@nautil/contracts';
import { sha256Of, Store } from '@nautil/store';
import { treeDigest } from './tree-digest.js';

/** Keeps the data in the content-addressed store, where nothing outside can change it, and takes the encoder's digest. */
export async function cache(o: {
  run: ResolvedRun;
  source: Source;
  data: LabelledData;
}): Promise<StageResult<CachedInputs>> {
  const store = new Store();
  const keep = async (ref: FileRef | undefined): Promise<FileRef | undefined> =>
    ref && store.put(ref.path, basename(ref.path));
  const { train, validation, test, labels, ...rest } = o.data;
  const kept = { validation: await keep(validation), test: await keep(test), labels: await keep(labels) };
  const data: LabelledData = { ...rest, train: (await keep(train))!, ...kept };
  const encoderDigest = await encoderDigestOf(o.source.encoder);
  return {
    data,
    encoder: o.source.encoder,
    encoderDigest,
    reused: false,
    detail: `encoder ${encoderDigest.slice(0, 12)}, data ${data.digest.slice(0, 12)}`,
  };
}

/** Of weights, architecture and tokenizer: the files that a run reads. */
async function encoderDigestOf(encoder: EncoderFiles): Promise<string> {
  const digests: string[] = [];
  for (const file of await listEncoderFiles(encoder)) digests.push(`${basename(file)} ${await treeDigest(file)}`);
  return sha256Of(digests.join('\n'));
}
