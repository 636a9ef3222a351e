import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath, withFolder } from '@nautil/testing';

const table = `text,label\n${'a good film,1\na bad film,0\n'.repeat(3)}`;
const files = { 'in.csv': table, 'mine.csv': 'mine\n', 'mine.yaml': 'mine\n', 'mine.tsv': 'mine\n' };
const test_ds = 'model.test_ds.file_path=in.csv';

/** The command, by the file that it is to write. */
const commands: Record<string, (output: string) => string[]> = {
  predict: (output) => ['predict', '--model', 'model.nemo', '--input', 'in.csv', '--output', output],
  evaluate: (output) => ['evaluate', 'model.nemo_path=model.nemo', test_ds, '--errors', output],
  inspect: (output) => ['inspect', 'in.csv', '--model', 'model.nemo', '--output', output],
  convert: (output) => ['convert', 'in.csv', output],
  export: (output) => ['export', '--model', 'model.nemo', '--format', 'safetensors', '--output', output],
  new: (output) => ['new', 'x', '--data', 'in.csv', '--yes', '--output', output],
};

async function inFolder(
  use: (folder: string, run: (args: string[]) => { status: number | null; stderr: string }) => void,
) {
  await withFolder(files, (folder) => {
    copyFileSync(goldenPath('nemo', 'tiny_bert.nemo'), join(folder, 'model.nemo'));
    for (const [link, to] of [
      ['link.csv', 'in.csv'],
      ['in.csv.part', 'in.csv'],
      ['link.yaml', 'in.csv'],
    ] as const)
      symlinkSync(to, join(folder, link));
    use(folder, (args) =>
      spawnSync(process.execPath, [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, INIT_CWD: folder },
      }),
    );
    return Promise.resolve();
  });
}

const contentsOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'latin1')]),
  );

test.each([
  ['predict', 'in.csv'],
  ['predict', './link.csv'],
  ['predict', 'model.nemo'],
  ['evaluate', 'in.csv'],
  ['evaluate', 'link.csv'],
  ['inspect', 'in.csv'],
  ['inspect', 'link.csv'],
  ['convert', 'in.csv'],
  ['export', 'model.nemo'],
  ['new', 'link.yaml'],
] as const)(
  'no command replaces a file that it reads, even with --force: %s, writing %s',
  async (name, output) => {
    await inFolder((folder, run) => {
      const before = contentsOf(folder);
      for (const force of [[], ['--force']]) {
        const { status, stderr } = run([...commands[name]!(output), ...force]);
        expect(stderr).toMatch(/would replace .*, which the command reads\n {2}write another file/);
        expect(status).toBe(2);
      }
      expect(contentsOf(folder)).toEqual(before);
    });
  },
  120_000,
);

test.each([
  ['predict', 'mine.csv', 'text,label,predicted_label\n'],
  ['evaluate', 'mine.csv', 'place,label,label_score,predicted_label,score,text\n'],
  ['inspect', 'mine.csv', 'place,label,label_score,suggested_label,score,text\n'],
  ['convert', 'mine.tsv', 'a good film\t1\n'],
  ['export', 'mine.csv', ''],
  ['new', 'mine.yaml', ''],
] as const)(
  'every command keeps a file that exists, and replaces it with --force: %s',
  async (name, output, start) => {
    await inFolder((folder, run) => {
      const before = contentsOf(folder);
      const kept = run(commands[name]!(output));
      expect(kept.stderr).toMatch(
        new RegExp(`(^|/)${output} exists\\n {2}add --force to replace it, or .*another`, 'm'),
      );
      expect(kept.status).toBe(2);
      expect(contentsOf(folder)).toEqual(before);
      expect(run([...commands[name]!(output), '--force']).status).toBe(0);
      const written = readFileSync(join(folder, output), 'utf8');
      expect(written.startsWith(start)).toBe(true);
      expect(written).not.toBe('mine\n');
    });
  },
  120_000,
);

test('--resume keeps a file of which nothing is unfinished', async () => {
  await inFolder((folder, run) => {
    const before = contentsOf(folder);
    const { status, stderr } = run([...commands['predict']!('mine.csv'), '--resume']);
    expect(stderr).toContain('mine.csv exists\n  nothing of it is unfinished: add --force');
    expect(status).toBe(2);
    expect(contentsOf(folder)).toEqual(before);
  });
}, 60_000);

test.each([
  ['predict', ['--force'], '--output'],
  ['inspect', ['--force'], '--output'],
  ['evaluate', ['--force'], '--errors'],
] as const)(
  '--force without a file to write is an error that names the option: %s',
  async (name, given, option) => {
    await inFolder((_, run) => {
      const { status, stderr } = run([
        ...commands[name]!('x.csv').filter((arg) => arg !== option && arg !== 'x.csv'),
        ...given,
      ]);
      expect(stderr).toMatch(`--force is for the file of ${option}, which is not given`);
      expect(status).toBe(2);
    });
  },
  60_000,
);
