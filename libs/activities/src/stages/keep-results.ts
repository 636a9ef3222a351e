import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '@nautil/config';
import type { ResolvedRun } from '@nautil/contracts';
import { formatBytes, knownSha256, linkFileAtomic } from '@nautil/store';
import { measureFolder } from '@nautil/store/garbage';
import { dropOptimizerState } from '@nautil/training';
import { resumedFolder } from './keep-resumed.js';

/**
 * Frees what a run that has its archive no longer needs: the checkpoints from which it would resume, and the state of the optimizer in
 * those of the log folder. It keeps the weights, which the later stages read if they are repeated, and the checkpoints of the log folder
 * as models. With `exp_manager.resume_if_exists`, the last of them stays whole, because the next start continues from it.
 *
 * @returns one line that states what the run keeps, and what it freed
 */
export async function keepResults(
  { folder, logDir }: Pick<ResolvedRun, 'folder' | 'logDir'>,
  { exp_manager }: Pick<Config, 'exp_manager'>,
): Promise<string> {
  const before = await sizeOf([folder, logDir]);
  for (const training of await trainingFolders(folder)) {
    await rm(join(training, 'checkpoints'), { recursive: true, force: true });
    await keepBestWeights(training);
  }
  await rm(resumedFolder(folder), { recursive: true, force: true });
  await keepWeights(join(logDir, 'checkpoints'), ({ isLast }) => isLast && exp_manager.resume_if_exists);
  const after = await sizeOf([folder, logDir]);
  const freed = Math.max(0, before - after);
  return `the run keeps ${formatBytes(after)} in ${folder} and ${logDir}; ${formatBytes(freed)} of checkpoints were freed`;
}

/** That of the run, and those of the repetitions that `--from` requested. */
async function trainingFolders(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => /^training(-|$)/.test(name)).map((name) => join(folder, name));
}

/** Keeps the newest best weights, to which alone the training's result refers, as a link where they are the last ones. */
async function keepBestWeights(training: string): Promise<void> {
  const best = (await namesIn(training)).filter((name) => /^best-\d+\.safetensors$/.test(name)).sort();
  const newest = best.pop();
  for (const name of best) await rm(join(training, name), { force: true });
  if (newest === undefined) return;
  const [path, last] = [join(training, newest), join(training, 'last.safetensors')];
  const [ofBest, ofLast] = await Promise.all([stat(path), stat(last)]);
  if (ofBest.ino === ofLast.ino || ofBest.size !== ofLast.size) return;
  const sha256 = await knownSha256(last);
  if ((await knownSha256(path)) === sha256) await linkFileAtomic({ path: last, sha256 }, path);
}

/** Removes the state of the optimizer from the checkpoints of a folder. Those that were one file stay one file. */
async function keepWeights(folder: string, isWhole: (o: { isLast: boolean }) => boolean): Promise<void> {
  const replaced = new Map<number, string>();
  for (const name of (await namesIn(folder)).filter((file) => file.endsWith('.ckpt')).sort()) {
    if (isWhole({ isLast: name.endsWith('-last.ckpt') })) continue;
    const path = join(folder, name);
    const { ino } = await stat(path);
    const same = replaced.get(ino);
    if (same !== undefined) await linkFileAtomic({ path: same, sha256: await knownSha256(same) }, path);
    else if (await dropOptimizerState(path)) replaced.set(ino, path);
  }
}

async function sizeOf(folders: readonly string[]): Promise<number> {
  const counted = new Set<string>();
  let total = 0;
  for (const folder of folders) total += (await measureFolder(folder, counted)).sizeBytes;
  return total;
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch((): string[] => []);
