import { crc32 } from 'node:zlib';
import { type ByteSource, partOf } from '../byte-source.js';
import { CorruptFile, cutOff, UnsupportedFile } from '../errors.js';
import { mostTensors, tooManyTensors } from '../named-tensors.js';

export interface ZipEntry {
  readonly name: string;

  /** The entry's bytes, in place. */
  readonly content: ByteSource;

  readonly crc32: number;
}

// Record layouts: PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central), 4.3.14-16 (ends).
const localHeaderSize = 30;
const centralHeaderSize = 46;
const endSize = 22;
const zip64LocatorSize = 20;
const zip64EndSize = 56;
const longestComment = 0xffff;

// A checkpoint has about one entry per tensor, and a few more.
const mostEntries = mostTensors + 100;
const largestDirectory = 16 << 20;

/**
 * Reads the directory of a zip file with uncompressed entries, as PyTorch writes it, and checks it against the local
 * headers: the names must agree, entries must not overlap, and none may lie outside the file. General readers are less
 * strict, so two of them may see different content in one hostile file. The checks also bound memory by the file size.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const corrupt = (problem: string) => new CorruptFile(source.name, problem);
  const end = await findEnd(source);
  if (end.entries > mostEntries) throw tooManyTensors(source.name, end.entries);
  if (end.size > largestDirectory) {
    throw corrupt(`the zip directory says it has ${end.entries} entries in ${end.size} bytes`);
  }
  if (end.offset + end.size > end.foundAt) {
    throw corrupt(`the zip directory (${end.size} bytes at ${end.offset}) runs into the record that closes the file`);
  }
  const headers = parseCentralHeaders(await source.read(end.offset, end.size), end.entries, source.name);

  const entries = new Map<string, ZipEntry>();
  const used: { name: string; start: number; end: number }[] = [];
  for (const header of headers) {
    if (entries.has(header.name)) throw corrupt(`the zip directory names ${header.name} twice`);
    const start = await checkLocalHeader(source, header);
    if (start + header.size > end.offset) throw corrupt(`${header.name} runs into the zip directory`);
    used.push({ name: header.name, start: header.offset, end: start + header.size });
    const content = partOf(source, `${source.name}: ${header.name}`, start, header.size);
    entries.set(header.name, { name: header.name, content, crc32: header.crc32 });
  }
  used.sort((a, b) => a.start - b.start);
  for (const [index, { name, start }] of used.entries()) {
    const before = used[index - 1];
    if (before && before.end > start) throw corrupt(`the zip entries ${before.name} and ${name} overlap`);
  }
  return entries;
}

/** Reads all bytes of an entry and verifies the checksum. */
export async function readEntry(entry: ZipEntry): Promise<Uint8Array> {
  const bytes = await entry.content.read(0, entry.content.size);
  if (crc32(bytes) !== entry.crc32) {
    throw new CorruptFile(entry.content.name, 'the checksum of its bytes differs from that in the zip directory', {
      hint: 'the file was damaged or altered after it was written: fetch it again',
    });
  }
  return bytes;
}

interface CentralHeader {
  readonly name: string;
  readonly size: number;
  readonly offset: number;
  readonly crc32: number;
}

async function findEnd(source: ByteSource) {
  const tailSize = Math.min(source.size, endSize + longestComment);
  const tailStart = source.size - tailSize;
  const tail = Buffer.from((await source.read(tailStart, tailSize)).buffer);
  for (let at = tailSize - endSize; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== 0x06054b50 || tail.readUInt16LE(at + 20) !== tailSize - endSize - at) continue;
    const foundAt = tailStart + at;
    const locator = at - zip64LocatorSize;
    if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
      return readZip64End(
        source,
        safeNumber(tail.readBigUInt64LE(locator + 8), source.name),
        foundAt - zip64LocatorSize,
      );
    }
    return {
      entries: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
      foundAt,
    };
  }
  throw cutOff(source.name, 'the zip directory at its end is missing');
}

async function readZip64End(source: ByteSource, at: number, locatorAt: number) {
  const record = Buffer.from((await source.read(at, zip64EndSize)).buffer);
  if (record.readUInt32LE(0) !== 0x06064b50 || at + zip64EndSize > locatorAt) {
    throw new CorruptFile(source.name, `there is no zip64 record at byte ${at}`);
  }
  return {
    entries: safeNumber(record.readBigUInt64LE(32), source.name),
    size: safeNumber(record.readBigUInt64LE(40), source.name),
    offset: safeNumber(record.readBigUInt64LE(48), source.name),
    foundAt: at,
  };
}

function parseCentralHeaders(bytes: Uint8Array, count: number, path: string): CentralHeader[] {
  const directory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const headers: CentralHeader[] = [];
  let at = 0;
  while (at < directory.length && headers.length <= count) {
    if (at + centralHeaderSize > directory.length || directory.readUInt32LE(at) !== 0x02014b50) {
      throw new CorruptFile(path, `entry ${headers.length} of the zip directory is not an entry`);
    }
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const next = at + centralHeaderSize + nameLength + extraLength + directory.readUInt16LE(at + 32);
    if (next > directory.length) throw new CorruptFile(path, `entry ${headers.length} of the zip directory is cut off`);
    const name = directory.toString('utf8', at + centralHeaderSize, at + centralHeaderSize + nameLength);
    if (directory.readUInt16LE(at + 8) & 1) throw new UnsupportedFile(path, `the zip entry ${name} is encrypted`);
    if (directory.readUInt16LE(at + 10) !== 0) {
      throw new UnsupportedFile(path, `the zip entry ${name} is compressed`, {
        hint: 'PyTorch stores its entries as they are; was the file unpacked and zipped again? `zip -0` would have stored them',
      });
    }
    const extra = directory.subarray(
      next - extraLength - directory.readUInt16LE(at + 32),
      next - directory.readUInt16LE(at + 32),
    );
    const [size, stored, offset] = widen(
      [directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 42)],
      extra,
      path,
    );
    if (size !== stored)
      throw new CorruptFile(path, `the zip entry ${name} is stored, but in ${stored} bytes for ${size}`);
    headers.push({ name, size, offset, crc32: directory.readUInt32LE(at + 16) });
    at = next;
  }
  if (headers.length !== count) {
    throw new CorruptFile(path, `the zip directory has ${headers.length} entries and says it has ${count}`);
  }
  return headers;
}

/** A field that exceeds 32 bits has all bits set; its value is in the zip64 extra field, in the same order (4.5.3). */
function widen(fields: [number, number, number], extra: Buffer, path: string): [number, number, number] {
  if (!fields.includes(0xffffffff)) return fields;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let from = at + 4;
    const wide = (field: number) => {
      if (field !== 0xffffffff) return field;
      if (from + 8 > extra.length) throw new CorruptFile(path, 'a zip64 field of the zip directory is cut off');
      from += 8;
      return safeNumber(extra.readBigUInt64LE(from - 8), path);
    };
    return [wide(fields[0]), wide(fields[1]), wide(fields[2])];
  }
  return fields;
}

/** Checks that the local header agrees with the directory. Returns where the entry's data starts. */
async function checkLocalHeader(source: ByteSource, header: CentralHeader): Promise<number> {
  const nameSize = Buffer.byteLength(header.name);
  const local = Buffer.from((await source.read(header.offset, localHeaderSize + nameSize)).buffer);
  const agrees =
    local.readUInt32LE(0) === 0x04034b50 &&
    local.readUInt16LE(8) === 0 &&
    local.readUInt16LE(26) === nameSize &&
    local.toString('utf8', localHeaderSize) === header.name;
  if (!agrees) throw new CorruptFile(source.name, `the header before ${header.name} disagrees with the zip directory`);
  return header.offset + localHeaderSize + nameSize + local.readUInt16LE(28);
}

function safeNumber(value: bigint, path: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new CorruptFile(path, `the zip directory holds the number ${value}`);
  return Number(value);
}
