import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, jest, test } from '@jest/globals';
import xterm from '@xterm/headless';
import { packageRoot } from '@nautil/store/folders';
import { type ReplayOptions, replayRun } from './testing/replay-run.js';

// What people see of a real run, which `record-run.ts` recorded: as text files in `screens`, which show every change of a screen
// in a review. WRITE_SCREENS=1 writes them again.

const folder = join(packageRoot(), 'apps/cli/src/terminal');

const recording = join(folder, 'recordings/completed.jsonl');

afterEach(() => {
  jest.restoreAllMocks();
});

/** What the program writes to its standard output. */
async function outputOf(o: ReplayOptions): Promise<string> {
  process.env['INIT_CWD'] = '/home/user/reviews';
  delete process.env['COLUMNS'];
  let output = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text);
    return true;
  });
  await replayRun(recording, o);
  jest.restoreAllMocks();
  return output;
}

/** The same in a process of its own, because the variables about colours are read when it starts. */
async function outputWith(variables: NodeJS.ProcessEnv): Promise<string> {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...env } = process.env;
  const script = `import { replayRun } from './apps/cli/src/terminal/testing/replay-run.ts';
    await replayRun(${JSON.stringify(recording)}, { columns: 80 });`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', script],
    { cwd: packageRoot(), env: { ...env, NODE_OPTIONS: '', INIT_CWD: '/home/user/reviews', ...variables } },
  );
  return stdout;
}

/** What a terminal shows after it has received the output, with all lines that scrolled away. */
async function screenOf(output: string, cols: number): Promise<string> {
  const terminal = new xterm.Terminal({ cols, rows: 40, scrollback: 10_000, allowProposedApi: true, convertEol: true });
  await new Promise<void>((done) => {
    terminal.write(output, done);
  });
  const buffer = terminal.buffer.active;
  const lines = Array.from({ length: buffer.length }, (_, row) => {
    const line = buffer.getLine(row);
    return `${line?.isWrapped ? '↪' : ''}${line?.translateToString(true) ?? ''}`;
  });
  return `${lines.join('\n').trimEnd()}\n`;
}

function expectScreen(name: string, screen: string): void {
  const path = join(folder, 'screens', name);
  if (process.env['WRITE_SCREENS']) {
    mkdirSync(join(folder, 'screens'), { recursive: true });
    writeFileSync(path, screen);
  }
  expect(screen).toBe(readFileSync(path, 'utf8'));
}

/** A line that the terminal has broken, marked by `screenOf`, is one that can be copied: a command or an address. */
const isBroken = (line: string): boolean => line.startsWith('↪');

test.each([80, 120])('a run on a terminal of %d columns', async (columns) => {
  const screen = await screenOf(await outputOf({ columns }), columns);
  expectScreen(`completed-${columns}.txt`, screen);
  const lines = screen.split('\n');
  const broken = lines.flatMap((line, i) => (isBroken(line) ? (lines[i - 1] ?? '') : []));
  for (const line of broken.filter((one) => !isBroken(one)))
    expect(line).toMatch(/^(?:MLflow|Temporal|try it|look|go on| {6}\S+$| {12}\S+$)/);
});

test.each([80, 120])('a run in the middle of its training, on a terminal of %d columns', async (columns) => {
  expectScreen(`training-${columns}.txt`, await screenOf(await outputOf({ columns, polls: 14 }), columns));
});

test('with NO_COLOR the same text has no colours; otherwise it has', async () => {
  const [coloured = '', plain = ''] = await Promise.all([{ FORCE_COLOR: '1' }, { NO_COLOR: '1' }].map(outputWith));
  // eslint-disable-next-line no-control-regex -- the sequences that set colours
  const colours = /\x1b\[\d+m/;
  expect(coloured).toMatch(colours);
  expect(plain).not.toMatch(colours);
  expect(await screenOf(plain, 80)).toBe(await screenOf(coloured, 80));
}, 120_000);

test('in a pipe there are plain lines: no control characters, and no line twice', async () => {
  const output = await outputOf({});
  expectScreen('completed-pipe.txt', output);
  // eslint-disable-next-line no-control-regex -- what must not be there
  expect(output).not.toMatch(/[\0-\x08\x0b-\x1f]/);
  const news = output.split('\n').filter((line) => /^(?:epoch \d+ {2}step|\w+ …|\w+: |note: )/.test(line));
  expect(news.length).toBeGreaterThan(20);
  expect(new Set(news).size).toBe(news.length);
});

test.each([
  ['NeMo’s log', {}, { nemo: 3 }],
  ['the end, where the log is on another machine', { isElsewhere: true }, { nemo: 0 }],
])('on a terminal, the scores of a class are shown once for each evaluation, in %s', async (_, options, { nemo }) => {
  const lines = (await screenOf(await outputOf({ columns: 120, ...options }), 120)).split('\n');
  expect(lines.filter((line) => line.includes('_report:'))).toHaveLength(nemo);
  // The F1 of one class of this recording, after the first epoch and on the test set.
  for (const score of ['96.00', '81.25']) expect(lines.filter((line) => line.includes(score))).toHaveLength(1);
});
