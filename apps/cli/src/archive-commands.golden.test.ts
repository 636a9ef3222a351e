import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { NemoDescription, NemoVerification } from '@nautil/formats/nemo';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';

const archives = readdirSync(goldenPath('nemo')).filter((name) => name.endsWith('.nemo'));
const folder = mkdtempSync(join(tmpdir(), 'nautil-cli-archives-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether the archive contains the class weights of a weighted loss. */
const hasClassWeights = (name: string) =>
  readFileSync(goldenPath('nemo', `${name}.expected.json`), 'utf8').includes('"loss.weight"');

interface Run {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs the program itself, as a user would. */
function nautil(...args: string[]): Promise<Run> {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  return new Promise((done) =>
    execFile(process.execPath, [program, ...args], { maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      done({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

test.each(archives)('nautil verify finds no problem in %s, which NeMo wrote', async (name) => {
  const { exitCode, stdout } = await nautil('verify', goldenPath('nemo', name), '--json');
  const verified = JSON.parse(stdout) as NemoVerification;
  expect(verified.checks.flatMap(({ problems }) => problems)).toEqual([]);
  expect({ sound: verified.sound, exitCode }).toEqual({ sound: true, exitCode: 0 });
});

test('nautil verify reports a truncated archive, with exit code 3', async () => {
  const cut = join(folder, 'cut.nemo');
  const whole = readFileSync(goldenPath('nemo', archives[0]!));
  writeFileSync(cut, whole.subarray(0, whole.length / 2));
  const { exitCode, stdout } = await nautil('verify', cut);
  expect(stdout).toMatch(/✗ archive: [^\n]*\n {4}.*cut off/);
  expect(stdout).toContain(`${cut} is not sound`);
  expect(exitCode).toBe(3);
});

test.each<[string, (path: string) => void, RegExp]>([
  ['missing', () => undefined, /there is no such file/],
  ['empty', (path) => writeFileSync(path, ''), /the file is empty/],
  ['noise', (path) => writeFileSync(path, 'not an archive '.repeat(100)), /no header of the tar archive at byte 0/],
  [
    'cut off',
    (path) => writeFileSync(path, readFileSync(goldenPath('nemo', archives[0]!)).subarray(0, 20_000)),
    /cut off/,
  ],
  ['a folder', (path) => mkdirSync(path), /is a folder/],
])(
  'inspect and verify report an archive that is %s once, without a stack, with exit code 3',
  async (kind, make, message) => {
    const path = join(folder, `${kind.replaceAll(' ', '-')}.nemo`);
    rmSync(path, { recursive: true, force: true });
    make(path);
    for (const command of ['inspect', 'verify']) {
      const { exitCode, stdout, stderr } = await nautil(command, path);
      const output = `${stdout}${stderr}`;
      expect(output).toMatch(message);
      expect(output.match(new RegExp(message.source, 'g'))).toHaveLength(1);
      expect(output).toContain(path);
      expect(output).not.toMatch(/^ +at /m);
      expect(exitCode).toBe(3);
    }
  },
);

test('nautil inspect shows the configuration, the labels and the tensors of an archive', async () => {
  const path = goldenPath('nemo', archives.find(hasClassWeights)!);
  const { exitCode, stdout } = await nautil('inspect', path);
  expect(exitCode).toBe(0);
  for (const title of ['Model', 'Labels', 'Configuration', 'Files', 'Tensors'])
    expect(stdout).toContain(`\n${title}\n`);
  expect(stdout).toMatch(/ {2}class_balancing: weighted_loss\n/);
  expect(stdout).toMatch(/F32 +\[\d+\] +loss\.weight/);
  expect(stdout).toMatch(/bert_model\.encoder\.layer\.(\{0…\d+\}|0)\.attention\.self\.query\.weight/);

  const described = JSON.parse((await nautil('inspect', path, '--json')).stdout) as NemoDescription;
  expect(described.labels).toHaveLength((described.config['dataset'] as { num_classes: number }).num_classes);
});

test('nautil inspect describes a TSV; the exit code is 3 when no model can be trained on it', async () => {
  const { exitCode, stdout } = await nautil('inspect', goldenPath('nemo', 'edge.tsv'));
  expect(stdout).toMatch(/edge\.tsv: \d+ lines, \d+ examples/);
  expect(exitCode).toBe(stdout.includes('✗') ? 3 : 0);

  const fine = join(folder, 'fine.tsv');
  writeFileSync(fine, 'a good one\t1\na bad one\t0\nanother good one\t1\nanother bad one\t0\n');
  const trainable = await nautil('inspect', fine, '--num-classes', '2');
  expect(trainable.stdout).toContain('The file is trainable, with num_classes 2.');
  expect(trainable.exitCode).toBe(0);
  const other = await nautil('inspect', fine, '--num-classes', 'two');
  expect(other.stderr).toContain('A whole number from 1 is expected');
  expect(other.exitCode).toBe(2);
});

test('nautil evaluate with nautil.data.relabel=true numbers the labels as a run on the training file does', async () => {
  const name = archives.find((archive) => archive.includes('_bert'))!;
  const expected = JSON.parse(readFileSync(goldenPath('nemo', `${name}.expected.json`), 'utf8')) as {
    rows: { text: string; logits: number[] }[];
  };
  const classes = [...expected.rows[0]!.logits.keys()];
  const tsv = (file: string, labelOf: (id: number) => number): string => {
    const path = join(folder, file);
    writeFileSync(path, classes.map((id) => `film number ${id} of many\t${labelOf(id)}\n`).join(''));
    return path;
  };
  const sparse = tsv('sparse.tsv', (id) => 10 * id - 7);
  const evaluate = (file: string, ...more: string[]) =>
    nautil(
      ...['evaluate', `model.nemo_path=${goldenPath('nemo', name)}`, `model.test_ds.file_path=${file}`],
      ...['trainer.accelerator=cpu', ...more],
    );
  const usual = await evaluate(tsv('usual.tsv', (id) => id));
  expect(usual.exitCode).toBe(0);
  const relabelled = await evaluate(sparse, 'nautil.data.relabel=true', `model.train_ds.file_path=${sparse}`);
  expect(relabelled.stdout.replace('sparse.tsv', 'usual.tsv')).toBe(usual.stdout);
  const unnamed = await evaluate(sparse, 'nautil.data.relabel=true');
  expect(unnamed).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/training file, and none is named/) });
}, 60_000);
