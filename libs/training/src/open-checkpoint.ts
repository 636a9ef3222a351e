import { openTensors, type TensorSource, verifySealed } from '@nautil/formats';

/** The format of a checkpoint with a digest of the whole file in its metadata. */
export const checkpointFormat = 'nautil-checkpoint-2';

/** The format of Nautil 0.1.0, which has no digest. */
const formatWithoutDigest = 'nautil-checkpoint';

/** An open checkpoint. The caller closes `source`. */
export interface OpenCheckpoint {
  source: TensorSource;

  /** False for a checkpoint of Nautil 0.1.0, and for a file that is no checkpoint: damage can't be detected. */
  hasDigest: boolean;
}

/**
 * Opens a checkpoint, or another file of tensors, and compares a checkpoint with its digest, which reads the file once. Changing
 * one byte can't turn a checkpoint with a digest into a file without one, because several entries of the metadata identify it.
 *
 * @throws CorruptFile when the digest does not match
 */
export async function openCheckpoint(path: string): Promise<OpenCheckpoint> {
  const source = await openTensors(path);
  try {
    const { format, sha256, progress, digests } = source.metadata;
    const isEarlier = format === formatWithoutDigest && sha256 === undefined;
    const isOther = [sha256, progress, digests].every((entry) => entry === undefined) && format !== checkpointFormat;
    const hasDigest = !isEarlier && !isOther;
    if (hasDigest) await verifySealed(path);
    return { source, hasDigest };
  } catch (error) {
    await source.close();
    throw error;
  }
}
