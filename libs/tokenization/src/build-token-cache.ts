import { canonicalJson, sha256Of, writeFileAtomic } from '@nautil/store';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { lengthStatistics, type LengthStatistics } from './length-statistics.js';
import { cacheVersion, rowsPerBlock, writeBlock, writeFooter, writeHeader, writeTail } from './token-cache-format.js';
import { tokenizeChunk, type TokenizedChunk } from './tokenize-chunk.js';
import { TokenizerPool } from './tokenizer-pool.js';
import type { Tokenizer } from './tokenizer.js';

/** A labelled text and the line that it came from. */
export interface LabelledText {
  text: string;
  label: number;

  /** 1-based. */
  line: number;
}

export interface TokenCacheOptions {
  examples: AsyncIterable<LabelledText>;

  /** The file to write. */
  out: string;

  tokenizer: Tokenizer;

  /** Ids per text, [CLS] and [SEP] included: 3 … 65,535. */
  maxLength: number;

  /** What it is made from, as `tokenCacheKey`: kept in the file, so that a stale one is refused. */
  key: string;

  /** Threads that tokenise; 0, or few examples: this one. Default 0. */
  numWorkers?: number;

  /** Called now and then with the examples done. */
  onProgress?: (examples: number) => void;

  signal?: AbortSignal;
}

export interface TokenCacheSummary {
  path: string;

  /** SHA-256 of the content. */
  digest: string;

  sizeBytes: number;
  examples: number;
  tokens: number;

  /** Texts that were longer than maxLength. */
  truncated: number;

  lengths: LengthStatistics;

  /** The first two examples, as NeMo logs them. */
  samples: (LabelledText & { ids: number[]; tokens: string[] })[];
}

/** Examples that a thread is given at a time; also the step of cancelling and of progress. */
const chunkExamples = 512;

/** Fewer examples are done before a thread has started. */
const examplesWorthThreads = 8192;

/** Bytes gathered before they are written. */
const writeBytes = 1 << 20;

/** The identity of a cache: everything that its content depends on. */
export function tokenCacheKey(o: {
  textSha256: string;
  tokenizerDigest: string;
  maxLength: number;
  numSamples?: number;
}): string {
  const numSamples = o.numSamples !== undefined && o.numSamples > 0 ? o.numSamples : -1;
  return sha256Of(canonicalJson({ cacheVersion, ...o, numSamples }));
}

/**
 * Tokenises examples into one file, whole or not at all, in one pass: two bytes a row are held in memory, whatever their number.
 * The bytes don't depend on `numWorkers`.
 */
export async function buildTokenCache(o: TokenCacheOptions): Promise<TokenCacheSummary> {
  const { tokenizer, maxLength } = o;
  if (!Number.isInteger(maxLength) || maxLength < 3 || maxLength > 0xffff) {
    throw new RangeError(`maxLength must be a whole number within 3 … 65535, not ${maxLength}`);
  }
  const rows = new CacheRows(tokenizer, maxLength, o.key);
  await writeFileAtomic(o.out, gather(rows.bytes(tokenizeInOrder(o), o.onProgress)));
  return {
    path: o.out,
    digest: rows.digest,
    sizeBytes: rows.sizeBytes,
    examples: rows.lengths.length,
    tokens: rows.tokens,
    truncated: rows.truncated,
    lengths: lengthStatistics(rows.lengths),
    samples: rows.samples,
  };
}

interface TokenizedExamples {
  examples: LabelledText[];
  chunk: TokenizedChunk;
}

/** The file's bytes, as the rows come in, and what the summary tells of them. */
class CacheRows {
  digest = '';
  sizeBytes = 0;
  tokens = 0;
  truncated = 0;
  readonly samples: TokenCacheSummary['samples'] = [];
  readonly #tokenizer: Tokenizer;
  readonly #header: Uint8Array;
  readonly #idBytes: 2 | 4;
  readonly #lengths = new GrowingUint16();
  readonly #checksums: number[] = [];

  constructor(tokenizer: Tokenizer, maxLength: number, key: string) {
    this.#tokenizer = tokenizer;
    this.#idBytes = tokenizer.vocabSize <= 0x10000 ? 2 : 4;
    this.#header = writeHeader({ maxLength, padId: tokenizer.padId, idBytes: this.#idBytes, key });
  }

  get lengths(): Uint16Array {
    return this.#lengths.values();
  }

  async *bytes(
    chunks: AsyncIterable<TokenizedExamples>,
    onProgress?: (examples: number) => void,
  ): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    const counted = (bytes: Uint8Array) => {
      hash.update(bytes);
      this.sizeBytes += bytes.length;
      return bytes;
    };
    yield counted(this.#header);
    for await (const chunk of chunks) {
      for (const block of this.#blocks(chunk)) yield counted(block);
      onProgress?.(this.#lengths.length);
    }
    if (this.#lengths.length === 0) throw new RangeError('there is no example to tokenise');
    const tailOffset = this.sizeBytes;
    const tail = writeTail(this.lengths, Uint32Array.from(this.#checksums));
    yield counted(tail);
    this.digest = hash.digest('hex');
    const footer = writeFooter({
      count: this.#lengths.length,
      tailOffset,
      tailChecksum: crc32(tail),
      digest: this.digest,
    });
    this.sizeBytes += footer.length;
    yield footer;
  }

  /** A chunk is whole blocks, but for the last. */
  *#blocks({ examples, chunk }: TokenizedExamples): Generator<Uint8Array> {
    this.#addSamples(examples, chunk);
    this.truncated += chunk.truncated;
    this.tokens += chunk.ids.length;
    let used = 0;
    for (let start = 0; start < examples.length; start += rowsPerBlock) {
      const rows = examples.slice(start, start + rowsPerBlock);
      const lengths = chunk.lengths.subarray(start, start + rows.length);
      const end = lengths.reduce((sum, length) => sum + length, used);
      const block = writeBlock(
        rows.map(({ label }) => label),
        rows.map(({ line }) => line),
        chunk.ids.subarray(used, end),
        this.#idBytes,
      );
      used = end;
      this.#lengths.push(lengths);
      this.#checksums.push(crc32(block));
      yield block;
    }
  }

  #addSamples(examples: LabelledText[], { lengths, ids }: TokenizedChunk): void {
    let used = 0;
    for (let at = 0; this.samples.length < 2 && at < examples.length; at++) {
      const example = examples[at];
      const end = used + (lengths[at] ?? 0);
      const rowIds = [...ids.subarray(used, end)];
      used = end;
      if (example)
        this.samples.push({ ...example, ids: rowIds, tokens: rowIds.map((id) => this.#tokenizer.tokenOf(id)) });
    }
  }
}

/** Tokenises chunks of examples, here or in threads, and gives them in the order they came in. */
async function* tokenizeInOrder(o: TokenCacheOptions): AsyncGenerator<TokenizedExamples> {
  const { tokenizer, maxLength, numWorkers = 0, signal } = o;
  let pool: TokenizerPool | undefined;
  const pending: { examples: LabelledText[]; chunk: Promise<TokenizedChunk> }[] = [];
  let seen = 0;
  try {
    for await (const examples of inChunks(o.examples)) {
      signal?.throwIfAborted();
      const texts = examples.map(({ text }) => text);
      seen += examples.length;
      if (numWorkers <= 0 || seen < examplesWorthThreads) {
        yield { examples, chunk: tokenizeChunk(tokenizer, texts, maxLength) };
        continue;
      }
      pool ??= new TokenizerPool({ definition: tokenizer.definition, maxLength }, numWorkers);
      const chunk = pool.tokenize(texts);
      // Awaited below, in order; until then a failure must not count as unhandled.
      chunk.catch(() => undefined);
      pending.push({ examples, chunk });
      const oldest = pending.length > pool.size * 2 ? pending.shift() : undefined;
      if (oldest) yield { examples: oldest.examples, chunk: await oldest.chunk };
    }
    for (const { examples, chunk } of pending) yield { examples, chunk: await chunk };
  } finally {
    await pool?.close();
  }
}

async function* inChunks(examples: AsyncIterable<LabelledText>): AsyncGenerator<LabelledText[]> {
  let chunk: LabelledText[] = [];
  for await (const { text, label, line } of examples) {
    chunk.push({ text, label, line });
    if (chunk.length < chunkExamples) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Joins small pieces into larger ones. */
async function* gather(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    held.push(piece);
    size += piece.length;
    if (size < writeBytes) continue;
    yield Buffer.concat(held);
    held = [];
    size = 0;
  }
  yield Buffer.concat(held);
}

/** A list of 16-bit numbers that costs two bytes each. */
class GrowingUint16 {
  #values = new Uint16Array(1024);
  length = 0;

  push(values: Uint16Array): void {
    if (this.length + values.length > this.#values.length) {
      const larger = new Uint16Array(Math.max(this.#values.length * 2, this.length + values.length));
      larger.set(this.values());
      this.#values = larger;
    }
    this.#values.set(values, this.length);
    this.length += values.length;
  }

  values(): Uint16Array {
    return this.#values.subarray(0, this.length);
  }
}
