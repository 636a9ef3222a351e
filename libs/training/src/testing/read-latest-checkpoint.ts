import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainingCheckpoints } from '../training-checkpoints.js';

/** Puts a file into the folder of a training as its only checkpoint, and resumes from it, as far as the tensors. */
export async function readLatestCheckpoint(folder: string, checkpoint: string): Promise<void> {
  await copyFile(checkpoint, join(folder, 'checkpoints', 'step-00000003.safetensors'));
  const checkpoints = new TrainingCheckpoints(folder, {});
  await checkpoints.latest({
    load: async ({ readWeight }) => {
      await readWeight('weight');
    },
    needsBest: true,
  });
}
