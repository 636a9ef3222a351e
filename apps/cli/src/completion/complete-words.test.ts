import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { buildProgram } from '../program.js';
import { completeWords } from './complete-words.js';

const home = mkdtempSync(join(tmpdir(), 'nautil-completion-'));
beforeAll(() => {
  process.env['NAUTIL_HOME'] = home;
  for (const name of ['reviews', 'rates-0']) {
    mkdirSync(join(home, 'runs', name), { recursive: true });
    writeFileSync(join(home, 'runs', name, 'run.json'), JSON.stringify({ workflowId: name }));
  }
  mkdirSync(join(home, 'runs', 'sweep'));
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

/** The names that complete a line. */
async function completed(line: string): Promise<string[] | 'files'> {
  const words = line.split(' ');
  const found = await completeWords(buildProgram(), words.slice(0, -1), words.at(-1) ?? '');
  return found === 'files' ? 'files' : found.map(({ name }) => name);
}

test.each<[string, string[] | 'files']>([
  ['ru', ['run', 'runs']],
  ['completion-', []],
  ['runs s', ['show', 'sync']],
  ['run --config-n', ['--config-name']],
  ['run --config-name ', ['sst2', 'text_classification_config']],
  ['run --config-name sst2 model.optim.na', ['model.optim.name=']],
  ['run model=distil', ['model=distilbert-base-uncased']],
  ['train trainer.max_e', ['trainer.max_epochs=']],
  ['train trainer.deterministic=t', ['trainer.deterministic=true']],
  ['run model.train_ds.file_path=', 'files'],
  ['config explain model.optim.lr', ['model.optim.lr', 'model.optim.lr_decay']],
  ['resume re', ['reviews']],
  ['resume reviews --from e', ['evaluate']],
  ['resume reviews model.optim.na', ['model.optim.name=']],
  ['runs compare reviews rat', ['rates-0']],
  ['inspect ', 'files'],
  ['new reviews --data ', 'files'],
  ['new reviews --encoder bert-base-c', ['bert-base-cased', 'bert-base-chinese']],
  ['run reviews', 'files'],
  ['predict --model ', 'files'],
  ['down x', []],
])('nautil %s', async (line, expected) => {
  const found = await completed(line);
  if (found === 'files') expect(expected).toBe('files');
  else expect(found.sort()).toEqual(expected);
});

/** What bash completes at the end of a line, with the script of the program. */
function inBash(line: string, words: string[]): string[] {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const script = `
    nautil() { '${process.execPath}' '${program}' "$@"; }
    npx() { shift 2; nautil "$@"; }
    source <(nautil completion bash)
    COMP_LINE=$1 COMP_POINT=\${#1}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    compopt() { echo "$*" >&2; }
    _nautil_completion
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, NODE_OPTIONS: '' };
  return execFileSync('bash', ['-c', script, 'bash', line, ...words], { encoding: 'utf8', env })
    .trim()
    .split('\n');
}

test('bash completes a key, and after its equals sign the value alone, because `=` ends a word there', () => {
  expect(inBash('nautil run model.optim.na', ['nautil', 'run', 'model.optim.na'])).toEqual(['model.optim.name=']);
  const words = ['nautil', 'run', 'trainer.deterministic', '=', 'f'];
  expect(inBash('nautil run trainer.deterministic=f', words)).toEqual(['false']);
}, 60_000);
