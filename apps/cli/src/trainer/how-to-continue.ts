import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { overrideOf, shellWord } from '@nautil/contracts';

/**
 * States how to continue an interrupted training. Without `resume_if_exists`, a command starts a new run in a new log folder, so
 * that only a checkpoint in the log folder of the interrupted run, which has one after its first validation, can be found.
 *
 * @param o.resumes - whether the command had `exp_manager.resume_if_exists=true`
 */
export async function howToContinue(o: { logDir: string; resumes: boolean }): Promise<string> {
  if (o.resumes) return 'the same command continues where this one ended';
  const overrides = await overridesToContinue(o.logDir);
  if (overrides !== undefined)
    return ['to continue from the last validation, add to the command:', overrides.map(shellWord).join(' ')].join('\n');
  return [
    'there is no validation to continue from: a new run begins from the start; it can be continued at any step, by the same command,',
    'with exp_manager.resume_if_exists=true exp_manager.resume_ignore_no_checkpoint=true',
  ].join('\n');
}

/**
 * The overrides with which a training continues from the last checkpoint in a log folder; undefined if it has none here, or only one whose
 * optimizer state was freed when its run had ended.
 */
export async function overridesToContinue(logDir: string): Promise<string[] | undefined> {
  const folder = join(logDir, 'checkpoints');
  const names = await readdir(folder).catch((): string[] => []);
  const last = names.find((name) => name.endsWith('last.ckpt'));
  if (last === undefined || !(await isResumable(join(folder, last)))) return undefined;
  return ['exp_manager.resume_if_exists=true', overrideOf('exp_manager.explicit_log_dir', logDir)];
}

/** A file that cannot be read counts: the training that continues from it says what is wrong with it. */
async function isResumable(checkpoint: string): Promise<boolean> {
  const { OptimizerStateDropped, requireResumable } = await import('@nautil/training');
  try {
    await requireResumable(checkpoint);
    return true;
  } catch (error) {
    return !(error instanceof OptimizerStateDropped);
  }
}
