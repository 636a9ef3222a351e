import { crc32 } from 'node:zlib';

/*
 * A token cache is one file, little endian:
 *
 *   header   64 bytes: magic, version, maxLength, padId, bytes per id (2 or 4), rows per block, key (32 bytes), checksum
 *   blocks   of 256 rows, starting at multiples of 4: labels int32[n], lines uint32[n], ids uint16|uint32[sum of lengths]; of
 *            pairs also uint16[n], the number of ids of each row's first segment
 *   tail     lengths uint16[rows], checksums uint32[blocks], each at a multiple of 4
 *   footer   64 bytes: magic, rows, offset of the tail, its checksum, SHA-256 of everything before the footer, checksum
 *
 * Version 1 holds single texts, version 2 pairs. Checksums are CRC-32. The offset of a block follows from the lengths of the rows before it. Everything that is unknown before
 * the last row is in the tail and the footer, so that one pass writes the file.
 */

export const headerBytes = 64;
export const footerBytes = 64;

/** Small, because reading one row of a shuffled epoch reads its whole block. */
export const rowsPerBlock = 256;

/** The version of a cache of single texts, and of pairs. */
export const versionOf = (pairs: boolean): number => (pairs ? 2 : 1);

const headerMagic = 'NAUTILTC';
const footerMagic = 'NAUTILTE';

export interface CacheHeader {
  maxLength: number;
  padId: number;
  idBytes: 2 | 4;

  /** Whether each row is a pair of texts. */
  pairs: boolean;

  /** Hex. */
  key: string;
}

export interface CacheFooter {
  count: number;
  tailOffset: number;
  tailChecksum: number;

  /** Hex. */
  digest: string;
}

export interface Block {
  labels: Int32Array;
  lines: Uint32Array;
  ids: Uint16Array | Uint32Array;

  /** Number of ids of each row's first segment; absent for single texts. */
  firstLengths: Uint16Array | undefined;

  /** Start of each row's ids, and the end of the last row. */
  starts: Uint32Array;

  sizeBytes: number;
}

/** Creates a reader's error. */
type CorruptError = (what: string) => Error;

export function writeHeader({ maxLength, padId, idBytes, pairs, key }: CacheHeader): Uint8Array {
  const bytes = Buffer.alloc(headerBytes);
  bytes.write(headerMagic, 0, 'latin1');
  [versionOf(pairs), maxLength, padId, idBytes, rowsPerBlock].forEach((value, at) =>
    bytes.writeUInt32LE(value, 8 + at * 4),
  );
  bytes.write(key, 28, 'hex');
  return sealed(bytes);
}

export function readHeader(bytes: Uint8Array, corrupt: CorruptError): CacheHeader {
  const header = asBuffer(bytes);
  if (header.toString('latin1', 0, 8) !== headerMagic) throw corrupt('the file is not a token cache');
  const version = header.readUInt32LE(8);
  if (version !== versionOf(false) && version !== versionOf(true))
    throw corrupt(`it has version ${version}, but this program reads versions 1 and 2`);
  const idBytes = header.readUInt32LE(20);
  if (!isSealed(header) || (idBytes !== 2 && idBytes !== 4) || header.readUInt32LE(24) !== rowsPerBlock) {
    throw corrupt('its header is damaged');
  }
  return {
    maxLength: header.readUInt32LE(12),
    padId: header.readUInt32LE(16),
    idBytes,
    pairs: version === versionOf(true),
    key: header.toString('hex', 28, 60),
  };
}

export function writeFooter({ count, tailOffset, tailChecksum, digest }: CacheFooter): Uint8Array {
  const bytes = Buffer.alloc(footerBytes);
  bytes.write(footerMagic, 0, 'latin1');
  bytes.writeUIntLE(count, 8, 6);
  bytes.writeUIntLE(tailOffset, 14, 6);
  bytes.writeUInt32LE(tailChecksum, 20);
  bytes.write(digest, 28, 'hex');
  return sealed(bytes);
}

export function readFooter(bytes: Uint8Array, corrupt: CorruptError): CacheFooter {
  const footer = asBuffer(bytes);
  if (footer.toString('latin1', 0, 8) !== footerMagic) throw corrupt('the file is truncated: its end is missing');
  if (!isSealed(footer)) throw corrupt('its footer is damaged');
  return {
    count: footer.readUIntLE(8, 6),
    tailOffset: footer.readUIntLE(14, 6),
    tailChecksum: footer.readUInt32LE(20),
    digest: footer.toString('hex', 28, 60),
  };
}

/**
 * The bytes of a block.
 *
 * @param block.ids - the concatenated ids of its rows
 */
export function writeBlock(
  block: { labels: number[]; lines: number[]; ids: Uint32Array; firstLengths: Uint16Array | undefined },
  idBytes: 2 | 4,
): Uint8Array {
  const { labels, lines, ids, firstLengths } = block;
  const rows = labels.length;
  const idsEnd = rows * 8 + ids.length * idBytes;
  const bytes = new Uint8Array(aligned(idsEnd + (firstLengths?.byteLength ?? 0)));
  new Int32Array(bytes.buffer, 0, rows).set(labels);
  new Uint32Array(bytes.buffer, rows * 4, rows).set(lines);
  idArray(bytes.buffer, rows * 8, ids.length, idBytes).set(ids);
  if (firstLengths) new Uint16Array(bytes.buffer, idsEnd, rows).set(firstLengths);
  return bytes;
}

/** The number of bytes that a row takes in its block. */
export const rowBytes = (length: number, { idBytes, pairs }: Pick<CacheHeader, 'idBytes' | 'pairs'>): number =>
  8 + length * idBytes + (pairs ? 2 : 0);

/** The content of a block with rows of these lengths. */
export function blockOf(
  bytes: Uint8Array<ArrayBuffer>,
  lengths: Uint16Array,
  { idBytes, pairs }: Pick<CacheHeader, 'idBytes' | 'pairs'>,
): Block {
  const rows = lengths.length;
  const starts = new Uint32Array(rows + 1);
  for (let row = 0; row < rows; row++) starts[row + 1] = (starts[row] ?? 0) + (lengths[row] ?? 0);
  const idCount = starts[rows] ?? 0;
  return {
    labels: new Int32Array(bytes.buffer, 0, rows),
    lines: new Uint32Array(bytes.buffer, rows * 4, rows),
    ids: idArray(bytes.buffer, rows * 8, idCount, idBytes),
    firstLengths: pairs ? new Uint16Array(bytes.buffer, rows * 8 + idCount * idBytes, rows) : undefined,
    starts,
    sizeBytes: bytes.length,
  };
}

/** The tail: the lengths, then the checksums of the blocks. */
export function writeTail(lengths: Uint16Array, checksums: Uint32Array): Uint8Array {
  const checksumsAt = aligned(lengths.byteLength);
  const bytes = new Uint8Array(checksumsAt + checksums.byteLength);
  new Uint16Array(bytes.buffer, 0, lengths.length).set(lengths);
  new Uint32Array(bytes.buffer, checksumsAt, checksums.length).set(checksums);
  return bytes;
}

/** The next multiple of 4. */
export function aligned(offset: number): number {
  return offset + ((4 - (offset % 4)) % 4);
}

function idArray(buffer: ArrayBuffer, offset: number, length: number, idBytes: 2 | 4): Uint16Array | Uint32Array {
  return idBytes === 2 ? new Uint16Array(buffer, offset, length) : new Uint32Array(buffer, offset, length);
}

/** Writes the checksum of the first 60 bytes into the last 4. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

function isSealed(bytes: Buffer): boolean {
  return bytes.readUInt32LE(60) === crc32(bytes.subarray(0, 60));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
