import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Example } from '@nautil/contracts';
import { canonicalJson, sha256Of, writeFileAtomic } from '@nautil/store';
import { type LengthStatistics, lengthStatistics } from './length-statistics.js';
import { rowsPerBlock, versionOf, writeBlock, writeFooter, writeHeader, writeTail } from './token-cache-format.js';
import { type TextChunk, tokenizeChunk, type TokenizedChunk } from './tokenize-chunk.js';
import type { Tokenizer } from './tokenizer.js';
import { TokenizerPool } from './tokenizer-pool.js';

export interface TokenCacheOptions {
  examples: AsyncIterable<Example>;

  /** Path of the file to write. */
  out: string;

  tokenizer: Tokenizer;

  /** Whether each example is a pair of texts (`textPair`). Default false. */
  pairs?: boolean | undefined;

  /** Maximum number of ids per text or pair, including [CLS] and [SEP]: 3 … 65,535. */
  maxLength: number;

  /** From `tokenCacheKey`. The file stores it, so that a stale cache is rejected. */
  key: string;

  /** Number of worker threads, which start where tokenizing takes most of the time of many examples. Default 0. */
  numWorkers?: number;

  /** Called after each chunk with the number of examples done. */
  onProgress?: (examples: number) => void;
}

export interface TokenCacheSummary {
  path: string;

  /** SHA-256 of the content. */
  digest: string;

  sizeBytes: number;
  examples: number;
  tokens: number;

  /** Number of texts, or pairs, longer than maxLength. */
  truncated: number;

  lengths: LengthStatistics;

  /** The first two examples, as NeMo logs them. */
  samples: (Example & { ids: number[]; tokens: string[]; typeIds?: number[] })[];
}

/** Examples per task of a worker thread; also the granularity of cancellation and progress. */
const chunkExamples = 512;

/** The number of examples that the main thread tokenizes first: starting threads for fewer would never pay off. */
export const examplesWorthThreads = 8192;

/** Size of one write. */
const writeBytes = 1 << 20;

/** The cache key: a digest of everything that the content depends on. */
export function tokenCacheKey(o: {
  textSha256: string;
  tokenizerDigest: string;
  maxLength: number;
  numSamples?: number;
  pairs?: boolean | undefined;
}): string {
  const { pairs = false, ...rest } = o;
  const numSamples = o.numSamples !== undefined && o.numSamples > 0 ? o.numSamples : -1;
  return sha256Of(canonicalJson({ cacheVersion: versionOf(pairs), ...rest, numSamples }));
}

/**
 * Tokenises examples into one file, atomically and in a single pass. Memory holds two bytes per row besides a few chunks. The
 * bytes do not depend on `numWorkers`.
 */
export async function buildTokenCache(o: TokenCacheOptions): Promise<TokenCacheSummary> {
  const { tokenizer, maxLength, pairs = false } = o;
  if (!Number.isInteger(maxLength) || maxLength < 3 || maxLength > 0xffff) {
    throw new RangeError(`maxLength must be a whole number from 3 to 65535, not ${maxLength}`);
  }
  const rows = new CacheRows(tokenizer, { maxLength, pairs, key: o.key });
  await writeFileAtomic(o.out, joinPieces(rows.bytes(tokenizeInOrder(o), o.onProgress)));
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
  examples: Example[];
  chunk: TokenizedChunk;
}

/** Produces the file's bytes from incoming chunks, and collects the numbers of the summary. */
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

  constructor(tokenizer: Tokenizer, o: { maxLength: number; pairs: boolean; key: string }) {
    this.#tokenizer = tokenizer;
    this.#idBytes = tokenizer.vocabSize <= 0x10000 ? 2 : 4;
    this.#header = writeHeader({ ...o, padId: tokenizer.padId, idBytes: this.#idBytes });
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
    if (this.#lengths.length === 0) throw new RangeError('there are no examples to tokenise');
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

  /** Every chunk except the last consists of complete blocks. */
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
        {
          labels: rows.map(({ label }) => label),
          lines: rows.map(({ line }) => line),
          ids: chunk.ids.subarray(used, end),
          firstLengths: chunk.firstLengths?.subarray(start, start + rows.length),
        },
        this.#idBytes,
      );
      used = end;
      this.#lengths.push(lengths);
      this.#checksums.push(crc32(block));
      yield block;
    }
  }

  #addSamples(examples: Example[], { lengths, ids, firstLengths }: TokenizedChunk): void {
    let used = 0;
    for (let row = 0; this.samples.length < 2 && row < examples.length; row++) {
      const example = examples[row];
      const end = used + (lengths[row] ?? 0);
      const rowIds = [...ids.subarray(used, end)];
      used = end;
      const first = firstLengths?.[row];
      if (example)
        this.samples.push({
          ...example,
          ids: rowIds,
          tokens: rowIds.map((id) => this.#tokenizer.tokenOf(id)),
          ...(first === undefined ? {} : { typeIds: rowIds.map((_, at) => (at < first ? 0 : 1)) }),
        });
    }
  }
}

/** Chunks that wait for the one before them. */
const mostPending = 64;

/** Tokenises chunks of examples in this thread or in worker threads, and yields them in input order. */
async function* tokenizeInOrder(o: TokenCacheOptions): AsyncGenerator<TokenizedExamples> {
  const { tokenizer, maxLength, pairs = false, numWorkers = 0 } = o;
  const share = new TokenizingShare();
  let pool: TokenizerPool | undefined;
  const pending: { examples: Example[]; chunk: Promise<TokenizedChunk>; isDone: boolean }[] = [];
  try {
    for await (const examples of inChunks(o.examples)) {
      const texts = textsOf(examples, pairs);
      // While the threads start, or have enough to do, this one tokenizes too.
      if (pool?.isWaiting) {
        const inThread = { examples, chunk: pool.tokenize(texts), isDone: false };
        // The chunk is awaited below; until then, a failure must not count as an unhandled rejection.
        inThread.chunk.catch(() => undefined).finally(() => (inThread.isDone = true));
        pending.push(inThread);
      } else {
        const chunk = share.measure(examples.length, () => tokenizeChunk(tokenizer, texts, maxLength));
        if (!pool) yield { examples, chunk };
        else pending.push({ examples, chunk: Promise.resolve(chunk), isDone: true });
      }
      if (numWorkers > 0 && share.isWorthThreads())
        pool ??= new TokenizerPool({ definition: tokenizer.definition, maxLength }, numWorkers);
      // The threads' messages arrive between two turns of the event loop.
      if (pool) await setImmediate();
      for (let oldest = pending[0]; oldest && (oldest.isDone || pending.length > mostPending); oldest = pending[0]) {
        pending.shift();
        yield { examples: oldest.examples, chunk: await oldest.chunk };
      }
    }
    for (const { examples, chunk } of pending) yield { examples, chunk: await chunk };
  } finally {
    await pool?.close();
  }
}

const textsOf = (examples: readonly Example[], pairs: boolean): TextChunk => ({
  texts: examples.map(({ text }) => text),
  ...(pairs ? { seconds: examples.map(({ textPair = '' }) => textPair) } : {}),
});

/**
 * Decides whether threads are worth the second of processor time that the start of each takes. Where reading and writing take a
 * good part of the time, as for texts of known words, threads gain nothing: handing the texts over costs as much as tokenizing them.
 */
class TokenizingShare {
  readonly #startedAt = performance.now();
  #tokenizingMs = 0;
  #examples = 0;

  measure<T>(examples: number, tokenize: () => T): T {
    const startedAt = performance.now();
    const result = tokenize();
    this.#tokenizingMs += performance.now() - startedAt;
    this.#examples += examples;
    return result;
  }

  isWorthThreads(): boolean {
    const elapsedMs = performance.now() - this.#startedAt;
    return (
      this.#examples >= examplesWorthThreads && this.#tokenizingMs >= 1000 && this.#tokenizingMs >= 0.75 * elapsedMs
    );
  }
}

async function* inChunks(examples: AsyncIterable<Example>): AsyncGenerator<Example[]> {
  let chunk: Example[] = [];
  for await (const example of examples) {
    chunk.push(example);
    if (chunk.length < chunkExamples) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Concatenates small pieces into pieces of about `writeBytes`. */
async function* joinPieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let buffered: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    buffered.push(piece);
    size += piece.length;
    if (size < writeBytes) continue;
    yield Buffer.concat(buffered);
    buffered = [];
    size = 0;
  }
  yield Buffer.concat(buffered);
}

/** A growing list of 16-bit numbers that takes two bytes per number. */
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
