import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { CheckpointError } from './errors.js';
import { readNemo } from './nemo/read-nemo.js';
import { openTensors } from './open-tensors.js';
import {
  int,
  pickle,
  rawTar,
  rawZip,
  type TarEntry,
  tensor,
  text,
  torchFile,
  type ZipEntry,
} from './testing/hostile-files.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Opens a file and reads all of its tensors. Returns the error as text, or 'it was read'. */
async function outcomeOf(bytes: Buffer, name: string): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const reading = name.endsWith('.nemo')
    ? readNemo(path)
    : openTensors(path).then((tensors) => ({ tensors, close: tensors.close }));
  return reading.then(
    async ({ tensors, close }) => {
      for (const tensorName of tensors.names()) await tensors.read(tensorName);
      await close();
      return 'it was read';
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(CheckpointError);
      expect((error as CheckpointError).message).toContain(path);
      return `${(error as CheckpointError).name}: ${(error as CheckpointError).message}`;
    },
  );
}

const config = Buffer.from('tokenizer:\n  tokenizer_name: bert\nlanguage_model:\n  config_file: null\n');
const weights = torchFile(pickle('}'));
const honest: TarEntry[] = [
  { name: './model_config.yaml', content: config },
  { name: './model_weights.ckpt', content: weights },
];

test('the honest archive that the hostile ones are made of opens', async () => {
  expect(await outcomeOf(rawTar(honest), 'honest.nemo')).toBe('it was read');
  expect(await outcomeOf(gzipSync(rawTar(honest)), 'honest-gz.nemo')).toBe('it was read');
});

describe('a hostile tar is rejected, the error gives the reason, and nothing is written', () => {
  const paxRecords = (record: string) => ({ name: 'pax', type: 'x', content: Buffer.from(record) });
  test.each(['hi\n', 'a good film\t1\n'.repeat(30), '{"model": 1}'])(
    'a short file that does not start as a tar does is no archive, and is not called cut off: %j',
    async (content) => {
      const outcome = await outcomeOf(Buffer.from(content), 'text.nemo');
      expect(outcome).toMatch(/this is no archive/);
      expect(outcome).not.toMatch(/cut off/);
    },
  );

  test.each<[string, TarEntry[], RegExp]>([
    ['a path that leads out', [{ name: '../evil', content: config }], /"\.\.\/evil" would lie outside/],
    ['a path that leads out further in', [{ name: './a/../../evil' }], /would lie outside/],
    ['an absolute path', [{ name: '/tmp/evil' }], /would lie outside/],
    ["a path in Windows' way", [{ name: '..\\evil' }], /would lie outside/],
    ['a path that leads out, in a pax header', [paxRecords('16 path=../evil\n'), { name: 'x' }], /would lie outside/],
    ['a folder that lies outside', [{ name: '../../', type: '5' }], /would lie outside/],
    ['a symbolic link', [{ name: 'model', type: '2', link: '/etc/passwd' }], /is a link/],
    ['a hard link', [{ name: 'model', type: '1', link: 'model_config.yaml' }], /is a link/],
    ['a device', [{ name: 'disk', type: '4' }], /of type "4"/],
    ['a sparse file', [{ name: 'sparse', type: 'S' }], /of type "S"/],
    ['a sparse file in a pax header', [paxRecords('22 GNU.sparse.major=1\n'), { name: 'x' }], /GNU\.sparse/],
    ['a size in a pax header', [paxRecords('18 size=999999999\n'), { name: 'x' }], /pax header sets size/],
    ['a pax header that is none', [paxRecords('999 path=a\n'), { name: 'x' }], /pax header of the archive is broken/],
    ['a member twice', [honest[0]!], /contains model_config\.yaml twice/],
    ['a size beyond the file', [{ name: 'big', size: 2 ** 32 }], /cut off: its member big of 4294967296 bytes/],
  ])('%s', async (_, members, message) => {
    const before = readdirSync(folder).length;
    expect(await outcomeOf(rawTar([...honest, ...members]), 'hostile.nemo')).toMatch(message);
    expect(readdirSync(folder).length).toBeLessThanOrEqual(before + 1);
    expect(existsSync(join(folder, '..', 'evil'))).toBe(false);
  });

  test.each<[string, Buffer, RegExp]>([
    [
      'more members than any model',
      rawTar(Array.from({ length: 10_050 }, (_, id) => ({ name: `m${id}` }))),
      /more than 10000/,
    ],
    ['no member', rawTar([]), /contains no files/],
    ['no archive', Buffer.from('not a tar '.repeat(100)), /no header of the tar archive/],
    ['no weights', rawTar(honest.slice(0, 1)), /no model_weights\.ckpt/],
    ['no configuration', rawTar(honest.slice(1)), /no model_config\.yaml/],
    [
      'a configuration that grows by its aliases',
      rawTar([{ name: 'model_config.yaml', content: aliasBomb() }, honest[1]!]),
      /is not valid YAML/,
    ],
    [
      'a configuration that nests without end',
      rawTar([{ name: 'model_config.yaml', content: Buffer.from(`a: ${'['.repeat(100_000)}`) }, honest[1]!]),
      /is not valid YAML/,
    ],
    [
      'a configuration of another model',
      rawTar([{ name: 'model_config.yaml', content: Buffer.from('target: nemo.asr.EncDecCTCModel\n') }, honest[1]!]),
      /its model is EncDecCTCModel, not TextClassificationModel/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect(await outcomeOf(bytes, 'hostile.nemo')).toMatch(message);
  });

  test('a gzip bomb fills neither memory nor the disk', async () => {
    const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('nautil-nemo-'));
    const before = left();
    const bomb = gzipSync(rawTar([{ name: 'zeros', content: Buffer.alloc(200 << 20) }]), { level: 9 });
    expect(await outcomeOf(bomb, 'bomb.nemo')).toMatch(/unpacks to more than \d+ bytes from \d+/);
    expect(left().filter((name) => !before.includes(name))).toEqual([]);
  });

  test.each([
    ['missing', undefined, /there is no such file/, /check the path/],
    ['empty', '', /the file is empty/, /copy or download it again/],
    ['a file of texts', 'good\t1\n'.repeat(200), /no header of the tar archive/, /a \.nemo archive is expected/],
  ])('an error about a model that is %s has a remedy', async (_, content, message, hint) => {
    const path = join(folder, 'remedy.nemo');
    if (content !== undefined) writeFileSync(path, content);
    await expect(readNemo(path)).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    rmSync(path, { force: true });
  });

  test('a gzip stream that was cut off is refused', async () => {
    const whole = gzipSync(rawTar(honest));
    expect(await outcomeOf(whole.subarray(0, whole.length - 20), 'cut.nemo')).toMatch(
      /cut off: its gzip stream ends too early/,
    );
  });
});

function aliasBomb(): Buffer {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 12; level += 1) {
    lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

describe('a hostile zip is rejected, and the error gives the reason', () => {
  const program = { name: 'archive/data.pkl', content: pickle('}') };
  const data = { name: 'archive/data/0', content: Buffer.alloc(64) };
  test.each<[string, ZipEntry[], RegExp, { entries?: number; offset?: number }?]>([
    ['entries that overlap', [program, { ...data, central: { offset: 0 } }], /disagrees with the zip directory/],
    [
      'one entry under two names, the way bombs are made',
      [program, data, { ...data, central: { offset: 30 + program.name.length + program.content.length } }],
      /names archive\/data\/0 twice/,
    ],
    ['a compressed entry', [{ ...program, central: { method: 8 } }], /is compressed/],
    ['an encrypted entry', [{ ...program, central: { flags: 1 } }], /is encrypted/],
    [
      'another name before the data',
      [{ ...program, localName: 'archive/dataXpkl' }],
      /disagrees with the zip directory/,
    ],
    ['a size beyond the file', [{ ...program, central: { size: 2 ** 31 } }], /runs into the zip directory/],
    [
      'an offset beyond the file',
      [{ ...program, central: { offset: 2 ** 31 } }],
      /bytes at byte 2147483648 exceeds its size/,
    ],
    ['another checksum', [{ ...program, central: { checksum: 1 } }], /checksum of its bytes differs/],
    ['a wrong count', [program], /has 1 entries and says it has 9/, { entries: 9 }],
    ['a directory beyond the file', [program], /runs into the record that closes/, { offset: 2 ** 31 }],
    ['no program', [data], /not one of torch\.save/],
    ['two programs', [program, { ...program, name: 'other/data.pkl' }], /not one of torch\.save/],
    ['a compiled program', [program, { name: 'archive/constants.pkl', content: pickle(')') }], /TorchScript/],
    // Jest would take a fourth parameter for its callback `done` in the rows of three.
  ])('%s', async (...[, entries, message, end]) => {
    expect(await outcomeOf(rawZip(entries, end), 'hostile.bin')).toMatch(message);
  });

  test('entries of which one lies within the other are refused', async () => {
    const inner = { name: 'archive/data.pkl', content: pickle('}') };
    const outerName = 'archive/outer';
    const bytes = rawZip([
      { name: outerName, content: rawZip([inner]) },
      { ...inner, central: { offset: 30 + outerName.length } },
    ]);
    expect(await outcomeOf(bytes, 'hostile.bin')).toMatch(/zip entries archive\/outer and archive\/data\.pkl overlap/);
  });

  test('a zip that was cut off is refused', async () => {
    expect(await outcomeOf(weights.subarray(0, weights.length - 10), 'cut.bin')).toMatch(
      /cut off: the zip directory at its end is missing/,
    );
  });
});

describe('a pickle is never executed, and the error names what it tried to import', () => {
  const call = (module: string, name: string, argument: string) =>
    pickle(`c${module}\n${name}\n`, text(argument), 0x85, 'R');
  test.each<[string, Buffer, RegExp]>([
    ['a command', call('os', 'system', 'touch evil'), /UnsafePickle: .* tries to import os\.system/],
    ['a command under its other name', call('posix', 'system', 'touch evil'), /tries to import posix\.system/],
    ['code', call('builtins', 'eval', '1'), /tries to import builtins\.eval/],
    [
      "code in Python 2's words",
      call('__builtin__', 'eval', '1'),
      /tries to import builtins\.eval|tries to import __builtin__\.eval/,
    ],
    ['an import', call('importlib', 'import_module', 'os'), /tries to import importlib\.import_module/],
    ['an attribute', call('builtins', 'getattr', 'x'), /tries to import builtins\.getattr/],
    ['a nested load', call('torch', 'load', 'x'), /tries to import torch\.load/],
    ['a program within NumPy', call('numpy.f2py', 'run_main', 'x'), /tries to import numpy\.f2py\.run_main/],
    ["an object's prototype", pickle('c__proto__\nconstructor\n'), /tries to import __proto__\.constructor/],
    [
      'a name that is put together on the stack',
      pickle(text('os'), text('system'), 0x93, text('x'), 0x85, 'R'),
      /tries to import os\.system/,
    ],
    [
      'a whole module',
      pickle('(', text('module'), 'N', 'N', 'N', 't', 'Q'),
      /UnsafePickle: .*whole module with its source/,
    ],
    ['a call of text', pickle(text('system'), ')', 'R'), /calls something that is not a class/],
    ['an instruction of older protocols', pickle('ios\nsystem\n'), /instruction 0x69/],
    ['an integer of a gigabyte', pickle(0x8b, Buffer.of(0, 0, 0, 0x40)), /integer of 1073741824 bytes/],
    ['a string beyond the file', pickle('X', Buffer.of(0xff, 0xff, 0xff, 0x7f)), /cut off/],
    ['a long string beyond numbers', pickle(0x8d, Buffer.alloc(8, 0xff)), /length of 18446744073709551615 bytes/],
    ['a frame beyond numbers', pickle(0x95, Buffer.alloc(8, 0x80), '}'), /length of 9259542123273814144 bytes/],
    ['a frame beyond the file', pickle(0x95, Buffer.of(3, 0, 0, 0, 0, 0, 0, 0), '}'), /cut off: 3 bytes are needed/],
    ['a list that holds itself', pickle(']', 'q', 0, 'h', 0, 'a'), /nested too deeply or has too many paths/],
    ['more paths than parts', pickle(...laughs(30)), /nested too deeply or has too many paths/],
    ['no end', pickle('}').subarray(0, 3), /cut off/],
    ['an empty stack', pickle('0'), /empty stack/],
    ['a memo that is empty', pickle('h', 9), /entry 9 of its memo/],
    ['more instructions than any checkpoint', pickle(Buffer.alloc(1_000_100, 'N')), /more than 1000000 instructions/],
  ])('%s', async (_, program, message) => {
    expect(await outcomeOf(torchFile(program), 'hostile.bin')).toMatch(message);
    expect(existsSync('evil')).toBe(false);
  });

  /** A list of ten times the list before it, again and again. */
  function laughs(levels: number): (string | number)[] {
    const parts: (string | number)[] = [']', 'q', 0];
    for (let level = 1; level < levels; level += 1) {
      parts.push('0', ']', 'q', level, '(');
      for (let copy = 0; copy < 10; copy += 1) parts.push('h', level - 1);
      parts.push('e');
    }
    return parts;
  }
});

describe('a tensor that does not fit its storage is rejected', () => {
  const state = (...views: Parameters<typeof tensor>[0][]) =>
    torchFile(pickle('}', ...views.flatMap((view, id) => [text(`w${id}`), tensor(view), 's'])));
  const honestView = { elements: 4, shape: [2, 2], strides: [2, 1] };

  test('a tensor that fits is read', async () => {
    expect(await outcomeOf(state(honestView), 'honest.bin')).toBe('it was read');
    expect(await outcomeOf(state({ ...honestView, strides: [0, 1] }), 'repeated.bin')).toBe('it was read');
  });

  test.each<[string, Parameters<typeof tensor>[0][], RegExp]>([
    ['a shape beyond it', [{ ...honestView, shape: [3, 2] }], /ends at byte 24 of a storage of 16/],
    ['an offset beyond it', [{ ...honestView, offset: 1 }], /ends at byte 20 of a storage of 16/],
    ['strides beyond it', [{ ...honestView, strides: [1000, 1] }], /ends at byte/],
    [
      'a shape that overflows',
      [{ ...honestView, shape: Array<number>(40).fill(2 ** 30), strides: Array<number>(40).fill(1) }],
      /ends at byte/,
    ],
    [
      'a shape that repeats four bytes up to terabytes',
      [{ ...honestView, shape: [2 ** 20, 2 ** 20], strides: [0, 0] }],
      /expands a storage of 16 bytes to 4398046511104/,
    ],
    [
      'more dimensions than PyTorch has',
      [{ ...honestView, shape: Array<number>(65).fill(1), strides: Array<number>(65).fill(1) }],
      /invalid shape, strides or offset/,
    ],
    ['shape and strides of two lengths', [{ ...honestView, strides: [1] }], /invalid shape, strides or offset/],
    ['more bytes than the file has', [{ ...honestView, elements: 5 }], /has 16 bytes, but the pickle gives 20/],
    [
      'a thousand tensors that repeat it',
      Array.from({ length: 10 }, () => ({ ...honestView, shape: [2 ** 22], strides: [0] })),
      /tensors would take \d+ bytes/,
    ],
  ])('%s', async (_, views, message) => {
    expect(await outcomeOf(state(...views), 'hostile.bin')).toMatch(message);
  });
});

test.each<[string, Buffer, RegExp]>([
  ['an empty file', Buffer.alloc(0), /is empty/],
  ['a pointer of Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /pointer that Git LFS/],
  ['a web page', Buffer.from('<!DOCTYPE html><html>'), /a web page/],
  ['a pickle alone', pickle(int(1)), /a pickle that torch\.save did not write/],
  ['an archive', rawTar(honest), /a tar archive/],
])('%s is refused for what it is', async (_, bytes, message) => {
  expect(await outcomeOf(bytes, 'weights.bin')).toMatch(message);
});
