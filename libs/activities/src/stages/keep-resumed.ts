import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { linkOrCopy } from '@nautil/nemo';
import { createFolder } from '@nautil/store/folders';
import { filesToResume, requireResumable } from '@nautil/training';

/**
 * Gives the checkpoint that a run continues a second name in the run's folder, and so the checkpoint with its best weights. The
 * log folder replaces its last checkpoint, so the run could not start again from there.
 *
 * @param folder - the run's folder
 * @returns the checkpoint's path in the run's folder
 * @throws OptimizerStateDropped
 */
export async function keepResumed(checkpoint: string, folder: string): Promise<string> {
  await requireResumable(checkpoint);
  const kept = resumedFolder(folder);
  await rm(kept, { recursive: true, force: true });
  await createFolder(kept);
  for (const file of await filesToResume(checkpoint)) await linkOrCopy(file, join(kept, basename(file)));
  return join(kept, basename(checkpoint));
}

/** Where a run keeps the checkpoint that it continues, until it has ended. */
export const resumedFolder = (folder: string): string => join(folder, 'resumed-from');
