import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { type Header, pack } from 'tar-stream';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { BadArchive, unpackArchive, type UnpackOptions } from './unpack-archive.js';

const folder = temporaryFolder();
let archives = 0;
const newPath = (suffix: string): string => join(folder, `archive-${(archives += 1)}${suffix}`);

type TarEntry = Partial<Header> & { name: string; content?: string };

async function writeTar(...entries: TarEntry[]): Promise<string> {
  const path = newPath('.tar');
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  for (const { content = '', ...header } of entries)
    tar.entry(header, header.type && header.type !== 'file' ? '' : content);
  tar.finalize();
  await written;
  return path;
}

function gzip(path: string): string {
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
  return `${path}.gz`;
}

/** A zip written by Python's zipfile, which also writes invalid entries. */
function writeZip(script: string): string {
  const path = newPath('.zip');
  execFileSync('python3', [
    '-c',
    `import zipfile, sys, stat\nz = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)\n${script}\nz.close()`,
    path,
  ]);
  return path;
}

async function refused(archive: string, options: Partial<UnpackOptions> = {}): Promise<string> {
  const to = `${archive}.out`;
  const error: unknown = await unpackArchive({ archive, to, ...options }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadArchive);
  expect(existsSync(to)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  return (error as Error).message;
}

const three: TarEntry[] = [
  { name: 'a/', type: 'directory' },
  { name: 'a/one.txt', content: 'one' },
  { name: './b/ü.txt', content: 'two' },
  { name: 'empty', content: '' },
];

test.each([
  ['tar', async () => writeTar(...three)],
  ['tar.gz', async () => gzip(await writeTar(...three))],
  [
    'zip',
    async () =>
      writeZip(
        'z.writestr("a/", "")\nz.writestr("a/one.txt", "one")\nz.writestr("b/ü.txt", "two")\nz.writestr("empty", "")',
      ),
  ],
])('a %s is unpacked, whatever its name', async (_, write) => {
  const archive = await write();
  const to = join(newPath(''), 'deep');
  expect(await unpackArchive({ archive, to })).toEqual(['a/one.txt', 'b/ü.txt', 'empty']);
  expect(readFileSync(join(to, 'a/one.txt'), 'utf8')).toBe('one');
  expect(readFileSync(join(to, 'b/ü.txt'), 'utf8')).toBe('two');
  expect(readFileSync(join(to, 'empty'), 'utf8')).toBe('');
});

test('a gz file becomes the single file that it holds', async () => {
  const path = newPath('.tsv');
  writeFileSync(path, 'text\t1\n'.repeat(1000));
  const archive = gzip(path);
  expect(await unpackArchive({ archive, to: `${archive}.out` })).toEqual([archive.slice(folder.length + 1, -3)]);
});

test.each(['../evil', 'a/../../evil', '/etc/evil', 'a\\..\\..\\evil', 'C:\\evil'])(
  'a name that leads out is refused: %s',
  async (name) => {
    const tar = await writeTar({ name: 'fine', content: 'x' }, { name, content: 'x' });
    expect(await refused(tar)).toContain('would be written outside its folder');
    const zip = writeZip(`z.writestr(${JSON.stringify(name)}, "x")`);
    expect(await refused(zip)).toMatch(/would be written outside its folder|cannot be unpacked/);
  },
);

test.each([
  { name: 'link', type: 'symlink', linkname: '/etc/passwd' },
  { name: 'link', type: 'link', linkname: 'fine' },
  { name: 'device', type: 'character-device' },
  { name: 'pipe', type: 'fifo' },
] as TarEntry[])('a $type in a tar is refused', async (entry) => {
  expect(await refused(await writeTar({ name: 'fine', content: 'x' }, entry))).toContain(
    'only files and folders are unpacked',
  );
});

test('a link in a zip is refused', async () => {
  const zip = writeZip(
    'i = zipfile.ZipInfo("link")\ni.create_system = 3\ni.external_attr = (stat.S_IFLNK | 0o777) << 16\nz.writestr(i, "/etc/passwd")',
  );
  expect(await refused(zip)).toContain('link is a link');
});

test('a decompression bomb is refused before it fills the disk', async () => {
  const path = newPath('.txt');
  writeFileSync(path, Buffer.alloc(200_000_000));
  expect(await refused(gzip(path))).toContain('decompression bomb');
  const zip = writeZip('z.writestr("bomb", bytes(200_000_000))');
  expect(await refused(zip)).toContain('decompression bomb');
  expect(await refused(await writeTar(...three), { maxBytes: 5 })).toContain('unpacks to more than 5 bytes');
  expect(await refused(await writeTar(...three), { maxFiles: 2 })).toContain('more than 2 files');
});

test('a duplicate name is refused', async () => {
  expect(await refused(await writeTar({ name: 'a', content: '1' }, { name: './a', content: '2' }))).toContain(
    'contains ./a twice',
  );
  expect(await refused(await writeTar({ name: 'a', content: '1' }, { name: 'a/b', content: '2' }))).toContain(
    'as a file and as a folder',
  );
});

test('an incomplete or modified archive is refused', async () => {
  const tar = await writeTar({ name: 'a', content: 'x'.repeat(5000) });
  const cut = newPath('.tar');
  writeFileSync(cut, readFileSync(tar).subarray(0, 3000));
  expect(await refused(cut)).toContain('cannot be unpacked');

  const cutGzip = newPath('.tgz');
  writeFileSync(cutGzip, readFileSync(gzip(tar)).subarray(0, 60));
  expect(await refused(cutGzip)).toContain('cannot be unpacked');

  const zip = readFileSync(writeZip('z.writestr("a", "content that is long enough", zipfile.ZIP_STORED)'));
  zip[zip.indexOf('long')] = 0x4c;
  const changed = newPath('.zip');
  writeFileSync(changed, zip);
  expect(await refused(changed)).toContain('a is damaged: its checksum is wrong');

  const text = newPath('.zip');
  writeFileSync(text, 'not an archive');
  expect(await refused(text)).toContain('is not a tar, zip or gzip file');
});

test('an archive whose content does not fit its directory is refused, and no later error ends the process', async () => {
  const script = 'z.writestr("a", "x" * 3000)\nz.writestr("b", bytes(range(256)) * 400, zipfile.ZIP_STORED)';
  const zip = readFileSync(writeZip(script));
  const central = zip.indexOf('PK\x01\x02', 0, 'latin1');
  const withSize = (field: number, size: number): Buffer => {
    const changed = Buffer.from(zip);
    changed.writeUInt32LE(size, central + field);
    return changed;
  };
  const damaged = [
    ...[0, 10, 2999, 3001, 1e9].map((size) => withSize(24, size)), // of the content
    ...[0, 1, 15].map((size) => withSize(20, size)), // of the compressed content
    withSize(16, 1), // the checksum
    withSize(42, 7), // the offset
    Buffer.from(zip).fill(0xff, 33, 36), // the deflated bytes
    ...[0.2, 0.5, 0.9, 0.999].map((part) => zip.subarray(0, Math.floor(zip.length * part))),
  ];
  for (const bytes of damaged) {
    const path = newPath('.zip');
    writeFileSync(path, bytes);
    await refused(path);
  }
  await sleep(50);
});

test('an archive that is given up halfway leaves no error behind', async () => {
  const random = Array.from({ length: 3 }, (_, index) => ({ name: `${index}`, content: randomText(2_000_000) }));
  const tar = await writeTar(...random);
  const zip = writeZip('import random\nfor i in range(3): z.writestr(str(i), random.randbytes(2_000_000))');
  for (const archive of [tar, gzip(tar), zip]) {
    await refused(archive, { maxBytes: 3_000_000 });
    const giveUp = new AbortController();
    const unpacking = unpackArchive({ archive, to: newPath(''), signal: giveUp.signal });
    setTimeout(() => giveUp.abort(new Error('given up')), 5);
    await expect(unpacking).rejects.toThrow('given up');
  }
  await sleep(50);
});

const randomText = (length: number): string => randomBytes(length / 2).toString('hex');

test('an existing folder is not written to, not even through a link', async () => {
  const archive = await writeTar(...three);
  const full = newPath('');
  mkdirSync(full);
  writeFileSync(join(full, 'mine'), 'x');
  await expect(unpackArchive({ archive, to: full })).rejects.toThrow('already exists');
  const link = newPath('');
  symlinkSync(full, link);
  await expect(unpackArchive({ archive, to: link })).rejects.toThrow('already exists');
  expect(readdirSync(full)).toEqual(['mine']);
});
