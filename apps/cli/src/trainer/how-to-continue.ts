import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * States how to continue an interrupted training. Without `resume_if_exists`, a command starts a new run in a new log folder, so
 * that only a checkpoint in the log folder of the interrupted run, which has one after its first validation, can be found.
 *
 * @param o.resumes - whether the command had `exp_manager.resume_if_exists=true`
 */
export async function howToContinue(o: { logDir: string; resumes: boolean }): Promise<string> {
  if (o.resumes) return 'the same command continues where this one ended';
  const names = await readdir(join(o.logDir, 'checkpoints')).catch((): string[] => []);
  if (names.some((name) => name.endsWith('last.ckpt')))
    return [
      'to continue from the last validation, add to the command:',
      `exp_manager.resume_if_exists=true 'exp_manager.explicit_log_dir="${o.logDir}"'`,
    ].join('\n');
  return [
    'there is no validation to continue from: a new run begins from the start; it can be continued at any step, by the same command,',
    'with exp_manager.resume_if_exists=true exp_manager.resume_ignore_no_checkpoint=true',
  ].join('\n');
}
