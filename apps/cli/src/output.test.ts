import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { withFolder } from '@nautil/testing';

const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
const controls = '\x1b]0;owned\x07\x1b[2J';

/** What `nautil` prints, to both streams. */
const nautil = (args: string[], cwd: string): Promise<string> =>
  new Promise((done) => {
    const env = { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '0', INIT_CWD: cwd };
    execFile(process.execPath, [program, ...args], { cwd, env, maxBuffer: 1 << 26 }, (_error, stdout, stderr) =>
      done(stdout + stderr),
    );
  });

test.each([
  ['the name of a file that does not exist', ['predict', '--model', `${controls}.nemo`, '--input', '-']],
  ['an unknown command', [controls]],
  ['an unknown option', ['inspect', `--${controls}`]],
  ['an unknown key', ['train', `+${controls.replaceAll(/[[\];]/g, '')}=1`]],
  ['a value', ['train', `trainer.max_epochs="${controls}"`]],
  ['a name of a file', ['inspect', `bad${controls}.tsv`]],
  ['labels', ['inspect', 'labels.tsv', '--labels', 'names.csv']],
])(
  '%s with control characters does not reach the terminal as they are',
  async (_, args) => {
    const files = {
      'labels.tsv': `a${controls}\t1\nb\t0\nc\t${controls}\n`,
      [`bad${controls}.tsv`]: 'x\ty\tz\n\xff\n',
      'names.csv': `one${controls}\ntwo${controls}\nthree\n`,
    };
    const output = await withFolder(files, (folder) => nautil(args, folder));
    expect(output).not.toBe('');
    // eslint-disable-next-line no-control-regex -- these must not occur
    expect(output).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
  },
  60_000,
);

test('the password of an address is masked in an error', async () => {
  const args = ['runs', 'sync', '--tracking-uri', 'ftp://alice:secret@host/?sig=secret2'];
  const journal = `${JSON.stringify({ type: 'journal', id: 'x' })}\n${JSON.stringify({ type: 'params', params: {} })}\n`;
  const output = await withFolder({ 'run/mlflow.jsonl': journal }, (folder) => nautil([...args, folder], folder));
  expect(output).toContain('ftp://***@host/?sig=***');
  expect(output).not.toContain('secret');
});

test('nothing in this program writes to the terminal but the functions in output.ts, the displays and the help', () => {
  const folder = join(packageRoot(), 'apps/cli/src');
  const writers = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('.test.') && !name.includes('testing/'))
    .filter((name) =>
      /console\.|process\.std(?:out|err)\.write|#stream\.write/.test(readFileSync(join(folder, name), 'utf8')),
    );
  expect(writers.sort()).toEqual([
    'output.ts',
    'predict/progress-line.ts',
    'print-tensorflow.ts',
    'program.ts',
    'terminal/training-display.ts',
  ]);
});
