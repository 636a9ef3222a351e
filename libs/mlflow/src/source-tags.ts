import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The tags from which MLflow's UI shows who ran what, from which code.
 *
 * @param folder in a git checkout; without one, or without git, the commit is left out
 */
export async function sourceTags(folder: string): Promise<Record<string, string>> {
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', ['-C', folder, ...args], { timeout: 10_000 })).stdout.trim();
  const program = process.argv[1] ? basename(process.argv[1]) : 'node';
  const tags = { 'mlflow.user': userName(), 'mlflow.source.name': program, 'mlflow.source.type': 'LOCAL' };
  try {
    const commit = await git('rev-parse', 'HEAD');
    const changed = await git('status', '--porcelain', '--untracked-files=no');
    return { ...tags, 'mlflow.source.git.commit': commit, 'nautil.git_changes': changed === '' ? 'no' : 'yes' };
  } catch {
    return tags;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? 'unknown'; // a container's user id may have no entry in its passwd
  }
}
