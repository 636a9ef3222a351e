import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { labelCounts } from './class-weights.js';
import type { DataError } from './data-error.js';
import { inspectTsv } from './inspect-tsv.js';
import { isQuoted } from './name-format.js';

test.each([
  ['gzip', gzipSync('a\t0\n'), /data is a gzip file, not text/, /gunzip -c .*data > unpacked\.tsv/],
  ['bzip2', Buffer.from('BZh91AY&SY\n'), /bzip2/, /bunzip2/],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), /xz/, /xz -dc/],
  ['Zstandard', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), /Zstandard/, /zstd -dc/],
  ['zip', Buffer.from('PK\u0003\u0004\n'), /is a zip archive, not text/, /unpack/],
  ['xlsx', Buffer.from('PK\u0003\u0004\n[Content_Types].xml xl/workbook.xml'), /is an Excel workbook/, /CSV/],
  ['xls', Buffer.from([0xd0, 0xcf, 0x11, 0xe0]), /old Excel/, /CSV/],
  ['Parquet', Buffer.from('PAR1\u0015\u0004'), /Parquet/, /nautil\.data\.format=table/],
  ['Arrow', Buffer.from('ARROW1\0\0'), /Arrow/, /CSV/],
  ['SQLite', Buffer.from('SQLite format 3\0\n'), /SQLite/, /CSV/],
  ['HDF5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), /HDF5/, /CSV/],
  ['NumPy', Buffer.from('\x93NUMPY\x01\0', 'latin1'), /NumPy/, /CSV/],
  ['legacy torch', Buffer.from([0x80, 2, 0x8a, 0x0a, 0x6c]), /Python pickle/, /a tab/],
  ['safetensors', Buffer.from('\x40\x01\0\0\0\0\0\0{"a":\n', 'latin1'), /safetensors/, /a tab/],
  ['GGUF', Buffer.from('GGUF\x03\0\0\0'), /GGUF/, /a tab/],
  ['tar', Buffer.from(`${'config.yaml'.padEnd(257, '\0')}ustar\0`), /a tar archive/, /unpack/],
  ['7z', Buffer.from('7z\xbc\xaf\x27\x1c', 'latin1'), /7z/, /unpack/],
  ['RAR', Buffer.from('Rar!\x1a\x07'), /RAR/, /unpack/],
  ['LZ4', Buffer.from([0x04, 0x22, 0x4d, 0x18]), /LZ4/, /lz4 -dc/],
  ['PDF', Buffer.from('%PDF-1.7\n'), /PDF/, /a tab/],
  ['PNG', Buffer.from('\x89PNG\r\n', 'latin1'), /PNG/, /a tab/],
  ['JPEG', Buffer.from([0xff, 0xd8, 0xff, 0xe0]), /JPEG/, /a tab/],
  ['ELF', Buffer.from('\x7fELF\n'), /ELF/, /a tab/],
  ['binary', Buffer.from('a\0\0\x01b\n\0\0\t1\n'), /data is a binary file.*NUL bytes/, /tr -d '\\000' < .*data > text/],
  [
    'binary without an end of line (safetensors)',
    Buffer.concat([Buffer.from('\x40\x01\0\0\0\0\0\0{', 'latin1'), Buffer.alloc(17 << 20, 0x61)]),
    /safetensors/,
    /a tab/,
  ],
])('a %s file is recognised by runs and by inspect, with a remedy', async (_, bytes, message, hint) => {
  await withFolder({}, async (folder) => {
    const path = join(folder, 'data');
    await writeFile(path, bytes);
    for (const read of [labelCounts, inspectTsv]) {
      const failure = await read(path).then(
        () => undefined,
        (error: unknown) => error as DataError,
      );
      expect(failure?.message).toMatch(message);
      expect(failure?.hint).toMatch(hint);
    }
  });
});

test.each([
  ['CSV', 'text,label\na film,1\nanother film,0\n'],
  ['CSV', 'label,text\n1,"a film, a good one"\n0,the film of 2008\n1,a\n'],
  ['CSV', '"a film"; 1\n"a film"; 0\n'],
  ['JSON', '{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n'],
  ['JSON', '[\n  {\n    "text": "a",\n    "label": 1\n  },\n  {\n    "text": "b",\n    "label": 0\n  }\n]\n'],
  ['TSV with quotation marks around labels', '"text"\t"label"\n"a"\t"1"\n"b"\t"0"\n'],
])('%s is recognised by runs and by inspect: %j', async (format, content) => {
  await withFolder({ 'data.tsv': content }, async (folder) => {
    const path = join(folder, 'data.tsv');
    await expect(labelCounts(path)).rejects.toThrow(`data.tsv looks like ${format}`);
    await expect(labelCounts(path, { numClasses: 2 })).rejects.toThrow(`data.tsv looks like ${format}`);
    const { problems, trainable } = await inspectTsv(path);
    expect(trainable).toBe(false);
    expect(problems.find(({ kind }) => kind === 'other-format')?.message).toBe(`a format other than NeMo's: ${format}`);
  });
});

test.each([
  'PAR1 binds it\t1\nPAR2 does not\t0\n',
  '[rec], a film\t1\n{sic}\t0\n',
  '1, 2, 3\t1\n3, 2, 1\t0\n',
  'a good film 1\na bad film, 0\na film 1\n',
])('%j is in NeMo’s format', async (content) => {
  await withFolder({ 'data.tsv': content }, async (folder) => {
    expect([...(await labelCounts(join(folder, 'data.tsv'))).counts.keys()]).toEqual([0, 1]);
    expect((await inspectTsv(join(folder, 'data.tsv'))).trainable).toBe(true);
  });
});

test('inspect warns of texts that are wholly in quotation marks', async () => {
  await withFolder({ 'data.tsv': '"a"\t0\n"a ""b"""\t1\n"a" or "b"\t0\n' }, async (folder) => {
    const { problems, trainable } = await inspectTsv(join(folder, 'data.tsv'));
    expect(problems.find(({ kind }) => kind === 'quoted')).toMatchObject({ severity: 'warning', count: 2 });
    expect(trainable).toBe(true);
  });
});

test.each([
  ['"a b"', true],
  ['"a ""b"" c"', true],
  ['"a" and "b"', false],
  ['a "b"', false],
  ['"', false],
])('whether %s is quoted: %s', (text, expected) => {
  expect(isQuoted(text)).toBe(expected);
});
