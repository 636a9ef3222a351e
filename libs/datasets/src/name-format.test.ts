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
  ['xlsx', Buffer.from('PK\u0003\u0004\n'), /zip archive or an Excel workbook/, /tabs/],
  ['xls', Buffer.from([0xd0, 0xcf, 0x11, 0xe0]), /old Excel/, /tabs/],
  ['Parquet', Buffer.from('PAR1\u0015\u0004'), /Parquet/, /a tab/],
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
