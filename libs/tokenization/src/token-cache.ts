import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { CorruptCache } from './errors.js';
import {
  aligned,
  type Block,
  blockOf,
  type CacheFooter,
  type CacheHeader,
  footerBytes,
  headerBytes,
  readFooter,
  readHeader,
  rowBytes,
  rowsPerBlock,
} from './token-cache-format.js';

/** The tokenised examples of a file, on disk. Memory holds the lengths and a bounded number of blocks. Rows start at 0. */
export interface TokenCache {
  /** Number of rows. */
  readonly count: number;

  /** SHA-256 of the content. */
  readonly digest: string;

  /** The cache key that it was built with; see `tokenCacheKey`. */
  readonly key: string;

  readonly maxLength: number;
  readonly padId: number;

  /** Whether each row is a pair of texts. */
  readonly pairs: boolean;

  /** Number of tokens of each row. */
  readonly lengths: Uint16Array;

  label(row: number): number;

  /** [CLS] … [SEP]. */
  ids(row: number): Int32Array;

  /** Number of tokens of the first segment, whose type is 0; that of the others is 1. All of a single text's tokens. */
  firstLength(row: number): number;

  /** The 1-based line of the source file. */
  line(row: number): number;

  close(): void;
}

/** Bound on the blocks held in memory. */
const maxHeldBytes = 32 << 20;

/**
 * Opens a token cache. Opening verifies the checksums of header, footer and lengths; reading a row verifies its block.
 *
 * @throws CorruptCache when the file is truncated, altered, of another version, or (with `key`) was built from other input
 */
export function openTokenCache(path: string, o: { key?: string } = {}): TokenCache {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new CorruptCache(path, 'the token cache cannot be opened', error);
  }
  try {
    return new FileTokenCache(path, file, o.key);
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

class FileTokenCache implements TokenCache {
  readonly count: number;
  readonly digest: string;
  readonly key: string;
  readonly maxLength: number;
  readonly padId: number;
  readonly pairs: boolean;
  readonly lengths: Uint16Array;
  readonly #path: string;
  readonly #file: number;
  readonly #header: CacheHeader;
  readonly #checksums: Uint32Array;

  /** Offset of each block, and the end of the last. */
  readonly #offsets: Float64Array;

  /** Least recently used first. */
  readonly #blocks = new Map<number, Block>();
  #heldBytes = 0;

  constructor(path: string, file: number, key: string | undefined) {
    this.#path = path;
    this.#file = file;
    const { size } = fstatSync(file);
    if (size < headerBytes + footerBytes) throw this.#corrupt(`the file has ${size} bytes, too few for a token cache`);
    this.#header = readHeader(this.#read(0, headerBytes), (what) => this.#corrupt(what));
    if (key !== undefined && key !== this.#header.key)
      throw this.#corrupt('it was built from another text, tokenizer or options');
    const footer = readFooter(this.#read(size - footerBytes, footerBytes), (what) => this.#corrupt(what));
    const tail = this.#readTail(footer, size);
    this.count = footer.count;
    this.digest = footer.digest;
    this.key = this.#header.key;
    this.maxLength = this.#header.maxLength;
    this.padId = this.#header.padId;
    this.pairs = this.#header.pairs;
    this.lengths = tail.lengths;
    this.#checksums = tail.checksums;
    this.#offsets = this.#blockOffsets(footer);
  }

  label(row: number): number {
    return this.#blockWith(row).labels[row % rowsPerBlock] ?? 0;
  }

  line(row: number): number {
    return this.#blockWith(row).lines[row % rowsPerBlock] ?? 0;
  }

  ids(row: number): Int32Array {
    const { ids, starts } = this.#blockWith(row);
    const rowInBlock = row % rowsPerBlock;
    return Int32Array.from(ids.subarray(starts[rowInBlock], starts[rowInBlock + 1]));
  }

  firstLength(row: number): number {
    const { firstLengths } = this.#blockWith(row);
    return (firstLengths ? firstLengths[row % rowsPerBlock] : this.lengths[row]) ?? 0;
  }

  close(): void {
    closeSync(this.#file);
  }

  #blockWith(row: number): Block {
    if (!Number.isInteger(row) || row < 0 || row >= this.count)
      throw new RangeError(`row ${row} is not between 0 and ${this.count - 1}`);
    const index = Math.floor(row / rowsPerBlock);
    const known = this.#blocks.get(index);
    if (known) {
      this.#blocks.delete(index);
      this.#blocks.set(index, known);
      return known;
    }
    const block = this.#readBlock(index);
    this.#blocks.set(index, block);
    this.#heldBytes += block.sizeBytes;
    for (const [oldest, { sizeBytes }] of this.#blocks) {
      if (this.#heldBytes <= maxHeldBytes || oldest === index) break;
      this.#blocks.delete(oldest);
      this.#heldBytes -= sizeBytes;
    }
    return block;
  }

  #readBlock(index: number): Block {
    const start = this.#offsets[index] ?? 0;
    const bytes = this.#read(start, (this.#offsets[index + 1] ?? 0) - start);
    const first = index * rowsPerBlock;
    if (crc32(bytes) !== this.#checksums[index]) {
      throw this.#corrupt(
        `rows ${first} … ${Math.min(first + rowsPerBlock, this.count) - 1} are damaged: their checksum does not match`,
      );
    }
    return blockOf(bytes, this.lengths.subarray(first, first + rowsPerBlock), this.#header);
  }

  #readTail(
    { count, tailOffset, tailChecksum }: CacheFooter,
    size: number,
  ): { lengths: Uint16Array; checksums: Uint32Array } {
    const blocks = Math.ceil(count / rowsPerBlock);
    const checksumsAt = aligned(count * 2);
    const bytes = checksumsAt + blocks * 4;
    if (tailOffset < headerBytes || tailOffset + bytes + footerBytes !== size)
      throw this.#corrupt(`the file is truncated: it has ${size} bytes, which do not fit ${count} rows`);
    const tail = this.#read(tailOffset, bytes);
    if (crc32(tail) !== tailChecksum)
      throw this.#corrupt('its table of lengths is damaged: the checksum does not match');
    return {
      lengths: new Uint16Array(tail.buffer, 0, count),
      checksums: new Uint32Array(tail.buffer, checksumsAt, blocks),
    };
  }

  #blockOffsets({ tailOffset }: CacheFooter): Float64Array {
    const offsets = new Float64Array(this.#checksums.length + 1);
    let offset = headerBytes;
    for (let row = 0; row < this.count; row++) {
      if (row % rowsPerBlock === 0) {
        offset = aligned(offset);
        offsets[row / rowsPerBlock] = offset;
      }
      offset += rowBytes(this.lengths[row] ?? 0, this.#header);
    }
    offset = aligned(offset);
    offsets[this.#checksums.length] = offset;
    if (offset !== tailOffset) throw this.#corrupt('its rows do not match its table of lengths');
    return offsets;
  }

  #read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const read = readSync(this.#file, bytes, done, length - done, offset + done);
      if (read === 0) throw this.#corrupt('the file was truncated while it was open');
      done += read;
    }
    return bytes;
  }

  #corrupt(what: string): CorruptCache {
    return new CorruptCache(this.#path, what);
  }
}
