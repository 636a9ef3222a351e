import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';

const folder = mkdtempSync(join(tmpdir(), 'nautil-cli-predict-'));
afterAll(() => rmSync(folder, { recursive: true }));
const archive = goldenPath('nemo', 'tiny_bert.nemo');

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args]);
}

/** Runs the program to its end, with `input` on standard input. */
async function nautil(args: string[], input: string | Uint8Array = '') {
  const child = start(...args);
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdin?.on('error', () => undefined).end(input);
  const [exitCode] = (await once(child, 'close')) as [number];
  return { exitCode, stdout, stderr };
}

test('a pipe that stays open gets the result of each line before the next line is written', async () => {
  const child = start('predict', '--model', archive, '--input', '-');
  for (const text of ['good film', 'bad film', 'fine film']) {
    child.stdin?.write(`${text}\n`);
    const [result] = (await once(child.stdout!, 'data')) as [Buffer];
    expect(result.toString()).toMatch(new RegExp(String.raw`^${text}\t\d\n$`));
  }
  child.stdin?.end();
  expect(await once(child, 'close')).toEqual([0, null]);
});

test('a labelled file may come from standard input, and states the casing on standard error', async () => {
  const args = ['predict', '--model', archive, '--input', '-', '--input-format', 'tsv'];
  const { exitCode, stdout, stderr } = await nautil(args, 'good film\t1\nno label\nbad film\t0\n\n');
  expect(stdout).toMatch(/^good film\t\d\nno label\t\d\nbad film\t\d\n$/);
  expect(stderr).toMatch(/standard input:4: skipped: blank line/);
  expect(stderr).toMatch(/1 row with another label or none/);
  expect(stderr).toMatch(/text is lower-cased, because of a vocabulary without capitals/);
  expect(exitCode).toBe(0);
});

test('predictions in int8 are labelled, and TensorFlow does not compute them', async () => {
  const args = ['predict', '--model', archive, '--input', '-', '--format', 'jsonl'];
  const [float32, int8] = [
    await nautil(args, 'good film\n'),
    await nautil([...args, '--precision', 'int8'], 'good film\n'),
  ];
  const [exact, rounded] = [float32, int8].map(
    ({ stdout }) => JSON.parse(stdout) as { label: string; scores: number[] },
  );
  expect(rounded).toMatchObject({ label: exact!.label, precision: 'int8' });
  expect(exact).not.toHaveProperty('precision');
  expect(rounded!.scores).toEqual(exact!.scores.map((score): unknown => expect.closeTo(score, 1)));
  expect(rounded!.scores).not.toEqual(exact!.scores);
  expect(int8.stderr).toMatch(/int8: scores and logits differ a little from those in float32/);

  const refused = await nautil([...args, '--precision', 'int8', '--engine', 'tensorflow']);
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(/TensorFlow does not compute in int8/);
});

test('predict notes that texts end like labelled lines, and only then', async () => {
  const args = ['predict', '--model', archive, '--input', '-'];
  for (const [input, isNoted] of [
    ['good film\t1\nbad film\t0\n', true],
    ['good film\t1\n\nbad film\t-1\r\n', true],
    ['good film\t1\nbad film\n', false],
    ['the film of 2008\n', false],
    ['\n', false],
  ] as const) {
    const { exitCode, stderr } = await nautil(args, input);
    expect({ input, isNoted: stderr.includes('--input-format tsv'), exitCode }).toEqual({
      input,
      isNoted,
      exitCode: 0,
    });
  }
});

test.each([
  ['Latin-1', Buffer.from('caf\xe9\t1\n', 'latin1'), /:1:4: byte 0xe9 is not valid UTF-8/, 'ISO-8859-1'],
  ['WINDOWS-1252', Buffer.from('it\x92s\t1\n', 'latin1'), /:1:3: byte 0x92 is not valid UTF-8/, 'WINDOWS-1252'],
  ['UTF-16', Buffer.from('good\t1\n', 'utf16le'), /:1: the file is UTF-16LE, not UTF-8/, 'UTF-16LE'],
])('predict rejects input that is not UTF-8 in every format: %s', async (name, content, message, encoding) => {
  const file = join(folder, `${name}.tsv`);
  writeFileSync(file, content);
  for (const format of ['text', 'tsv']) {
    const args = ['predict', '--model', archive, '--input', file, '--input-format', format];
    const { exitCode, stdout, stderr } = await nautil(args);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(`iconv -f ${encoding} -t UTF-8 ${file}`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  }
});

test.each([NaN, Infinity])('an archive with a weight that is %d gives an error, never a class', async (value) => {
  const damaged = join(folder, `${value}.nemo`);
  const name = 'bert_model.encoder.layer.0.output.dense.weight';
  await copyArchive(archive, damaged, (content, source) => ({
    tensors: [...content.tensors].map((tensor) => {
      if (tensor.name !== name) return tensor;
      const data = async (): Promise<Uint8Array> => {
        const bytes = await source.tensors.read(name);
        new DataView(bytes.buffer, bytes.byteOffset).setFloat32(4, value, true);
        return bytes;
      };
      return { ...tensor, data };
    }),
  }));
  const { exitCode, stdout, stderr } = await nautil(['predict', '--model', damaged, '--input', '-'], 'good film\n');
  expect(stderr).toContain(`${damaged}: the weight ${name} contains ${value} at index 1`);
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
});

test('inspect states whether an archive lower-cases text, and why', async () => {
  const { stderr } = await nautil(['inspect', archive]);
  expect(stderr).toMatch(/text is lower-cased, because of a vocabulary without capitals/);
});
