import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { shellWord } from '@nautil/contracts';

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

/** The overrides with which a training continues from the last checkpoint in a log folder; undefined if it has none here. */
export async function overridesToContinue(logDir: string): Promise<string[] | undefined> {
  const names = await readdir(join(logDir, 'checkpoints')).catch((): string[] => []);
  if (!names.some((name) => name.endsWith('last.ckpt'))) return undefined;
  return ['exp_manager.resume_if_exists=true', `exp_manager.explicit_log_dir="${logDir}"`];
}
