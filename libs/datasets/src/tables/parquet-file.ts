import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors } from 'hyparquet-compressors';
import { counted, isJsonObject, type JsonValue } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { columnsOf, exactParsers, type ParquetColumn, withStoredValues } from './parquet-values.js';
import { tableBytes } from './table-bytes.js';

/** Writers cut pages at about 1 MiB; a page has at least one value. */
const maxPageBytes = 1 << 28;

/** Rows that are in memory at once. Pages before them are skipped without being decompressed. */
const sliceRows = 1 << 16;

const asStored = { utf8: false, parsers: exactParsers };

/** The index of a Parquet file: its columns, and the names of the classes that it defines. */
export interface ParquetIndex {
  columns: ParquetColumn[];
  classNames: Map<string, string[]>;
}

/** A Parquet file that is open for reading. */
export class ParquetFile {
  readonly #path: string;
  readonly #file: AsyncBuffer;
  readonly #metadata: FileMetaData;

  private constructor(path: string, file: AsyncBuffer, metadata: FileMetaData) {
    this.#path = path;
    this.#file = file;
    this.#metadata = metadata;
  }

  /**
   * A packed file is unpacked into memory, since its index is at its end.
   *
   * @throws DataError for a file whose index can't be read
   */
  static async open(path: string, isGzip: boolean): Promise<ParquetFile> {
    const file = isGzip ? await unpacked(path) : await asyncBufferFromFile(path);
    return new ParquetFile(path, file, await reading(path, () => parquetMetadataAsync(file)));
  }

  index(): Promise<ParquetIndex> {
    return reading(this.#path, () => ({
      columns: columnsOf(parquetSchema(this.#metadata)),
      classNames: classNamesIn(this.#metadata),
    }));
  }

  /** The stored values of some columns, in slices of rows; see `exactReader`. @throws DataError */
  async *rows(columns: readonly string[]): AsyncGenerator<unknown[][]> {
    const [path, file, metadata] = [this.#path, this.#file, withStoredValues(this.#metadata)];
    await reading(path, () => requirePages(file, metadata, columns));
    for (const [rowStart, rowEnd] of slicesOf(metadata)) {
      const options = { file, metadata, columns: [...columns], rowStart, rowEnd, compressors, ...asStored };
      const rows = await reading(path, () => parquetReadObjects(options));
      if (rows.length < rowEnd - rowStart) throw fewerRows(path, rowStart + rows.length);
      yield rows.map((row) => columns.map((name): unknown => row[name]));
    }
  }
}

const fewerRows = (path: string, rows: number): DataError =>
  new DataError(`${path} has ${counted(rows, 'row')}, fewer than its index states`, {
    hint: 'the file is damaged: copy or download it again',
  });

/**
 * Checks the sizes of the pages of some columns.
 *
 * NOTE: hyparquet reads pages of a negative size, and of more values than the column has, without end.
 *
 * @throws Error for a page that can't be in its column
 */
async function requirePages(file: AsyncBuffer, metadata: FileMetaData, selected: readonly string[]): Promise<void> {
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: column } of columns) {
      if (column === undefined || !selected.includes(column.path_in_schema[0] ?? '')) continue;
      const start = Number(column.dictionary_page_offset ?? column.data_page_offset);
      const bytes = await file.slice(start, start + Number(column.total_compressed_size));
      const reader = { view: new DataView(bytes), offset: 0 };
      while (reader.offset < bytes.byteLength - 1) {
        const { compressed_page_size: size, uncompressed_page_size: unpackedSize, ...header } = parquetHeader(reader);
        const values =
          (header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header)?.num_values ?? 0;
        const isPossible =
          size >= 0 && size <= bytes.byteLength - reader.offset && unpackedSize >= 0 && unpackedSize <= maxPageBytes;
        if (!isPossible || values < 0 || values > column.num_values) throw new Error('the size of a page is wrong');
        reader.offset += size;
      }
    }
  }
}

/** Ranges of rows, none of which is in two groups of the file. A damaged file may state any number of rows. */
function* slicesOf({ row_groups }: FileMetaData): Generator<[start: number, end: number]> {
  let groupStart = 0;
  for (const { num_rows } of row_groups) {
    const groupEnd = groupStart + Number(num_rows);
    for (let start = groupStart; start < groupEnd; start += sliceRows)
      yield [start, Math.min(groupEnd, start + sliceRows)];
    groupStart = groupEnd;
  }
}

async function unpacked(path: string): Promise<AsyncBuffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of tableBytes(path, true)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  return {
    byteLength: bytes.length,
    slice: (start, end) => Uint8Array.from(bytes.subarray(start, end)).buffer,
  };
}

async function reading<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new DataError(`${path} can't be read as Parquet: ${(error as Error).message}`, {
      hint: 'the file is damaged or cut off, or uses a feature of Parquet that Nautil does not read: write it again, for example with pandas.DataFrame.to_parquet',
      cause: error,
    });
  }
}

/** The names of the columns that Hugging Face's datasets wrote as ClassLabel, from the file's metadata. */
function classNamesIn({ key_value_metadata }: FileMetaData): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  if (text === undefined) return found;
  const { info } = jsonObjectIn(text);
  const features = isJsonObject(info) ? info['features'] : undefined;
  if (!isJsonObject(features)) return found;
  for (const [column, feature] of Object.entries(features)) {
    const names = isJsonObject(feature) && feature['_type'] === 'ClassLabel' ? feature['names'] : undefined;
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) found.set(column, names);
  }
  return found;
}

function jsonObjectIn(text: string): Record<string, JsonValue | undefined> {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    // The names are optional, and the labels remain readable without them.
    return {};
  }
}
