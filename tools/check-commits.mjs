// Checks the titles of the commits that origin's main branch does not have; see CONTRIBUTING.md.
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const form = /^(?:build|chore|ci|docs|feat|fix|perf|refactor|style|test)(?:\([a-z0-9, -]+\))?!?: \S/;
const maxLength = 100;

const unchecked = whyUnchecked();
if (unchecked !== undefined) {
  console.log(`the titles of commits are not checked: ${unchecked}`);
} else {
  const wrong = newTitles().flatMap((line) => {
    const title = line.slice(line.indexOf(' ') + 1);
    if (!form.test(title)) return [`${line}\n  is not of the form "type(scope): what is now true"`];
    return title.length > maxLength ? [`${line}\n  has ${title.length} characters, more than ${maxLength}`] : [];
  });
  if (wrong.length > 0) {
    console.error(`${wrong.join('\n')}\nCONTRIBUTING.md describes titles; \`git rebase -i origin/main\` changes them.`);
    process.exitCode = 1;
  }
}

/** Undefined when the titles can be checked. */
function whyUnchecked() {
  let folder;
  try {
    folder = git('rev-parse', '--show-toplevel');
  } catch {
    return 'this folder is no git checkout';
  }
  if (realpathSync(folder) !== realpathSync(root)) return 'this folder is part of another git checkout';
  if (git('rev-parse', '--is-shallow-repository') === 'true') return 'the clone is shallow';
  if (!hasOriginMain()) return 'there is no branch origin/main to compare with';
  return undefined;
}

function hasOriginMain() {
  try {
    git('rev-parse', '--verify', '--quiet', 'origin/main^{commit}');
    return true;
  } catch {
    return false;
  }
}

/** `hash title` of each commit that is neither in origin/main nor older than this check. */
function newTitles() {
  const introduction = git('log', '--diff-filter=A', '--format=%H', '--', 'tools/check-commits.mjs').split('\n').at(-1);
  const since = introduction ? [`^${introduction}`] : [];
  const lines = git('log', '--no-merges', '--format=%h %s', 'HEAD', '^origin/main', ...since);
  return lines === '' ? [] : lines.split('\n');
}

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
