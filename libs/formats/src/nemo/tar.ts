import { counted } from '@nautil/contracts';
import { type ByteSource, partOf } from '../byte-source.js';
import { CorruptFile, cutOff } from '../errors.js';

export interface TarMember {
  /** Path in the archive without a leading `./`, `/`-separated. */
  readonly name: string;

  readonly content: ByteSource;
}

// POSIX.1-2017, pax, "ustar Interchange Format": field offsets in the 512-byte header.
const block = 512;
const mostMembers = 10_000;
const longestPaxRecords = 1 << 20;

const damagedHint = 'compare the file with the original, and copy or download it again';
const notArchiveHint =
  'a .nemo archive is expected, which `npx nautil run` writes; a checkpoint is given to predict or evaluate, and a file of texts to inspect';

/** Whether bytes of less than a header may be the start of one: the name of a member, filled up with zeros, or of gzip. */
const mayStartTar = (start: Buffer): boolean => {
  const text = start.toString('latin1');
  return (
    text.includes('\0') ||
    text.startsWith('./') ||
    ['./', 'model_config.yaml', '\x1f\x8b'].some((name) => name.startsWith(text))
  );
};

/**
 * Reads the directory of an uncompressed tar archive. Members are read in place and never unpacked. Names that lead out
 * of the archive, links and devices are refused nevertheless, because no genuine archive of a model contains them.
 */
export async function readTarDirectory(source: ByteSource): Promise<Map<string, TarMember>> {
  const corrupt = (problem: string, hint = damagedHint) => new CorruptFile(source.name, problem, { hint });
  const members = new Map<string, TarMember>();
  let longName: string | undefined;
  let at = 0;
  if (source.size === 0) throw corrupt('the file is empty');
  for (let headers = 0; ; headers += 1) {
    // A tar ends with blocks of zeros, so one that ends without a block of them is incomplete.
    if (at + block > source.size) {
      if (at === 0 && !mayStartTar(Buffer.from(await source.read(0, source.size))))
        throw corrupt('this is no archive: it does not start with the header of a tar', notArchiveHint);
      throw cutOff(
        source.name,
        `it has ${counted(source.size, 'byte')}, and no complete header or end mark at byte ${at}`,
      );
    }
    if (headers > mostMembers) throw corrupt(`the archive has more than ${mostMembers} members`);
    const header = Buffer.from((await source.read(at, block)).buffer);
    if (header.every((byte) => byte === 0)) break;
    if (!hasTarHeader(header))
      throw corrupt(`there is no header of the tar archive at byte ${at}`, at === 0 ? notArchiveHint : damagedHint);
    const size = tarNumber(header.subarray(124, 136));
    const type = String.fromCharCode(header[156] ?? 0);
    const name = longName ?? headerName(header);
    const start = at + block;
    if (!Number.isSafeInteger(size) || start + size > source.size) {
      throw cutOff(
        source.name,
        `its member ${name} of ${counted(size, 'byte')} starts at byte ${start} of ${source.size}`,
      );
    }
    at = start + Math.ceil(size / block) * block;
    longName = undefined;

    if (type === 'x' || type === 'g' || type === 'L') {
      if (size > longestPaxRecords) throw corrupt(`a header of the archive has ${size} bytes`);
      const bytes = Buffer.from((await source.read(start, size)).buffer);
      if (type === 'x') longName = paxPath(bytes, corrupt);
      if (type === 'L') longName = cString(bytes);
    } else if (type === '0' || type === '\0') {
      const path = safePath(name, corrupt);
      if (members.has(path)) throw corrupt(`the archive contains ${path} twice`);
      members.set(path, { name: path, content: partOf(source, `${source.name}: ${path}`, start, size) });
    } else if (type === '5') {
      safePath(name, corrupt);
    } else {
      const kind = type === '1' || type === '2' ? 'a link' : `of type ${JSON.stringify(type)}`;
      throw corrupt(`its member ${name} is ${kind}, not a file`);
    }
  }
  if (members.size === 0) throw corrupt('the archive contains no files');
  return members;
}

/** Whether bytes begin with a header of a tar archive. */
export function hasTarHeader(bytes: Buffer): boolean {
  if (bytes.length < block) return false;
  let sum = 0;
  // The checksum's own eight bytes count as spaces.
  for (const [index, byte] of bytes.subarray(0, block).entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  return sum === tarNumber(bytes.subarray(148, 156));
}

/** Octal digits, or a binary number if the first bit is set (GNU's extension for 8 GiB and more). NaN if it is neither. */
function tarNumber(field: Buffer): number {
  if ((field[0] ?? 0) & 0x80)
    return field.subarray(1).reduce((value, byte) => value * 256 + byte, (field[0] ?? 0) & 0x7f);
  const digits = cString(field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function headerName(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 262) === 'ustar' ? cString(header.subarray(345, 500)) : '';
  const name = cString(header.subarray(0, 100));
  return prefix ? `${prefix}/${name}` : name;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** The `path` of pax records, each of the form `LENGTH KEY=VALUE\n`. A size, needed only from 8 GiB, is refused. */
function paxPath(bytes: Buffer, corrupt: (problem: string) => CorruptFile): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(bytes.toString('latin1', at, space));
    if (!Number.isSafeInteger(length) || at + length > bytes.length || length <= space - at + 1)
      throw corrupt('a pax header of the archive is broken');
    const text = bytes.toString('utf8', space + 1, at + length - 1);
    if (text.startsWith('path=')) path = text.slice('path='.length);
    if (text.startsWith('size=') || text.startsWith('GNU.sparse'))
      throw corrupt(`its pax header sets ${text.slice(0, 40)}`);
    at += length;
  }
  return path;
}

function safePath(name: string, corrupt: (problem: string) => CorruptFile): string {
  const parts = name.split('/').filter((part) => part !== '.' && part !== '');
  if (name.startsWith('/') || name.includes('\\') || name.includes('\0') || parts.includes('..')) {
    throw corrupt(`its member ${JSON.stringify(name)} would lie outside of the archive`);
  }
  return parts.join('/');
}

/** A file to write to an archive. `chunks` must yield exactly `size` bytes. */
export interface TarFile {
  readonly name: string;
  readonly size: number;
  chunks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

// The first time that zip can represent. GNU tar warns about implausibly old times.
const fixedTime = Date.UTC(1980, 0, 1) / 1000;
const recordSize = 20 * block;

/** Creates a tar archive in NeMo's layout (`./`, then its members sorted by name), with fixed times and owners. */
export async function* tarChunks(files: readonly TarFile[]): AsyncGenerator<Uint8Array> {
  let written = 0;
  const tallied = (chunk: Uint8Array) => {
    written += chunk.length;
    return chunk;
  };
  yield tallied(tarHeader('./', 0, '5'));
  for (const file of [...files].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))) {
    const name = `./${file.name}`;
    if (Buffer.byteLength(name) > 100) yield tallied(paxHeader(name));
    yield tallied(tarHeader(name, file.size, '0'));
    const before = written;
    for await (const chunk of file.chunks()) yield tallied(chunk);
    if (written - before !== file.size)
      throw new TypeError(`${file.name} yielded ${written - before} bytes instead of ${file.size}`);
    yield tallied(new Uint8Array((block - (file.size % block)) % block));
  }
  const end = written + 2 * block;
  yield new Uint8Array(Math.ceil(end / recordSize) * recordSize - written);
}

function tarHeader(name: string, size: number, type: '0' | '5' | 'x'): Uint8Array {
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, width: number) =>
    header.write(value.toString(8).padStart(width - 1, '0'), at);
  Buffer.from(name).copy(header, 0, 0, 100);
  octal(type === '5' ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (size < 8 ** 11) octal(size, 124, 12);
  else {
    header.writeBigUInt64BE(BigInt(size), 128);
    header[124] = 0x80;
  }
  octal(fixedTime, 136, 12);
  header.write(type, 156);
  header.write('ustar\x0000', 257, 'latin1');
  header.write('root', 265);
  header.write('root', 297);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** The extra header that precedes the header of a member whose name is longer than 100 bytes. */
function paxHeader(name: string): Uint8Array {
  const rest = ` path=${name}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length)
    length = String(length).length + Buffer.byteLength(rest);
  const record = Buffer.from(`${length}${rest}`);
  const padded = Buffer.alloc(Math.ceil(record.length / block) * block);
  record.copy(padded);
  return Buffer.concat([tarHeader('././@PaxHeader', record.length, 'x'), padded]);
}
