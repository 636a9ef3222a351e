import { basename } from 'node:path';
import type {
  CachedInputs,
  EncoderFiles,
  FileRef,
  LabelledData,
  ResolvedRun,
  Source,
  StageResult,
} from '@nautil/contracts';
import { listEncoderFiles } from '@nautil/formats/encoder';
import { FileDamaged, sha256Of, Store } from '@nautil/store';
import { treeDigest } from './tree-digest.js';

/** Copies the data into the content-addressed store, where no other program changes it, and computes the encoder's digest. */
export async function cache(o: {
  run: ResolvedRun;
  source: Source;
  data: LabelledData;
}): Promise<StageResult<CachedInputs>> {
  const store = new Store();
  const keep = async (ref: FileRef): Promise<FileRef> => {
    const kept = await store.put(ref.path, basename(ref.path));
    if (kept.sha256 !== ref.sha256) throw new FileDamaged(ref);
    return kept;
  };
  const { train, validation, test, labels, ...rest } = o.data;
  const data: LabelledData = {
    ...rest,
    train: await keep(train),
    validation: validation && (await keep(validation)),
    test: test && (await keep(test)),
    labels: labels && (await keep(labels)),
  };
  const encoderDigest = await encoderDigestOf(o.source.encoder);
  return {
    data,
    encoder: o.source.encoder,
    encoderDigest,
    reused: false,
    detail: `encoder ${encoderDigest.slice(0, 12)}, data ${data.digest.slice(0, 12)}`,
  };
}

/** Digest of the files that a run reads: weights, architecture and tokenizer. */
export async function encoderDigestOf(encoder: EncoderFiles): Promise<string> {
  const digests: string[] = [];
  for (const file of await listEncoderFiles(encoder)) digests.push(`${basename(file)} ${await treeDigest(file)}`);
  return sha256Of(digests.join('\n'));
}
