import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { environment } from './environment.js';

const run = promisify(execFile);

/**
 * The tags from which MLflow's UI shows who ran which program, from which commit.
 *
 * @param folder a git checkout, or an installed package, whose package.json records the commit that it was built from;
 *   otherwise the commit is left out
 */
export async function sourceTags(folder: string): Promise<Record<string, string>> {
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', ['-C', folder, ...args], { timeout: 10_000 })).stdout.trim();
  const program = process.argv[1] ? basename(process.argv[1]) : 'node';
  const tags = { 'mlflow.user': userName(), 'mlflow.source.name': program, 'mlflow.source.type': 'LOCAL' };
  const builtFrom = await recordedCommit(folder);
  if (builtFrom !== undefined) return { ...tags, 'mlflow.source.git.commit': builtFrom };
  try {
    const commit = await git('rev-parse', 'HEAD');
    const changed = await git('status', '--porcelain', '--untracked-files=no');
    return { ...tags, 'mlflow.source.git.commit': commit, 'nautil.git_changes': changed === '' ? 'no' : 'yes' };
  } catch {
    return tags;
  }
}

/** The commit in the package.json of a built package; that of a checkout has none. */
async function recordedCommit(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '');
  return /"gitHead": "([0-9a-f]{40})"/.exec(text)?.[1];
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return environment().loginName ?? 'unknown'; // in a container, /etc/passwd may lack the user
  }
}
