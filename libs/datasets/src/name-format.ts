import { DataError } from './data-error.js';
import { shellCommand } from './text-encoding.js';

interface BinaryFormat {
  name: string;

  /** Bytes at the start of the file; undefined stands for any byte. */
  start: readonly (number | undefined)[];

  /** Where these bytes are, if they are not the first. */
  offset?: number;

  /** A program that writes the unpacked file to standard output. */
  unpack?: string;
  hint?: string;
}

const spreadsheet = 'save the sheet as CSV (UTF-8), which Nautil reads';

const columns = 'write its columns of texts and labels as CSV, JSON Lines or Parquet';
const labelledTexts =
  'name a file of texts; a labelled one has on each line a text, a tab, and a label (a whole number)';

const bytesOf = (text: string): number[] => [...Buffer.from(text, 'latin1')];

const zipMagic = [0x50, 0x4b, 0x03, 0x04];

const binaryFormats: readonly BinaryFormat[] = [
  { name: 'a gzip file', start: [0x1f, 0x8b], unpack: 'gunzip -c' },
  { name: 'a bzip2 file', start: [0x42, 0x5a, 0x68, undefined, 0x31, 0x41, 0x59, 0x26], unpack: 'bunzip2 -c' },
  { name: 'an xz file', start: [0xfd, 0x37, 0x7a, 0x58, 0x5a], unpack: 'xz -dc' },
  { name: 'a Zstandard file', start: [0x28, 0xb5, 0x2f, 0xfd], unpack: 'zstd -dc' },
  {
    name: 'a zip archive',
    start: zipMagic,
    hint: 'unpack it and name a file; `new --data` and nautil.data.source take the archive as it is',
  },
  { name: 'an old Excel workbook', start: [0xd0, 0xcf, 0x11, 0xe0], hint: spreadsheet },
  {
    name: 'a Parquet file',
    // A protein is called PAR1, so the byte with which a page starts is needed, too.
    start: [0x50, 0x41, 0x52, 0x31, 0x15],
    hint: 'set nautil.data.format=table, or leave it out',
  },
  { name: 'an Arrow or Feather file', start: bytesOf('ARROW1\0\0'), hint: columns },
  { name: 'an Avro file', start: bytesOf('Obj\x01'), hint: columns },
  { name: 'a SQLite database', start: bytesOf('SQLite format 3\0'), hint: columns },
  { name: 'an HDF5 file', start: bytesOf('\x89HDF\r\n\x1a\n'), hint: columns },
  { name: 'a NumPy file', start: bytesOf('\x93NUMPY'), hint: columns },
  ...[2, 3, 4, 5].map((protocol) => ({
    name: 'a Python pickle, such as an old file of torch.save',
    start: [0x80, protocol],
    hint: labelledTexts,
  })),
  // The length of the header, of which four bytes are 0, and the bracket that opens it.
  {
    name: 'a safetensors file (weights or a checkpoint)',
    start: bytesOf('\0\0\0\0{'),
    offset: 4,
    hint: labelledTexts,
  },
  { name: 'a GGUF file of llama.cpp', start: [...bytesOf('GGUF'), undefined, 0, 0, 0], hint: labelledTexts },
  { name: 'a tar archive', start: bytesOf('ustar'), offset: 257, hint: 'unpack it, and name a file of texts' },
  { name: 'a 7z archive', start: bytesOf('7z\xbc\xaf\x27\x1c'), hint: 'unpack it, and name a file of texts' },
  { name: 'a RAR archive', start: bytesOf('Rar!\x1a\x07'), hint: 'unpack it, and name a file of texts' },
  { name: 'an LZ4 file', start: [0x04, 0x22, 0x4d, 0x18], unpack: 'lz4 -dc' },
  { name: 'a PDF document', start: [...bytesOf('%PDF-'), undefined, 0x2e], hint: labelledTexts },
  { name: 'an image (PNG)', start: bytesOf('\x89PNG'), hint: labelledTexts },
  { name: 'an image (JPEG)', start: [0xff, 0xd8, 0xff], hint: labelledTexts },
  { name: 'a program (ELF)', start: bytesOf('\x7fELF'), hint: labelledTexts },
];

/** Documents that are zip archives: a name that one of their first members has. */
const zippedDocuments: readonly { name: string; member: string; hint: string }[] = [
  { name: 'an Excel workbook', member: 'xl/', hint: spreadsheet },
  { name: 'a Word document', member: 'word/', hint: labelledTexts },
  { name: 'a presentation', member: 'ppt/', hint: labelledTexts },
  { name: 'an OpenDocument spreadsheet', member: 'opendocument.spreadsheet', hint: spreadsheet },
  { name: 'an OpenDocument text', member: 'opendocument.text', hint: labelledTexts },
];

/** @throws DataError for the start of a document that is a zip archive, such as an Excel workbook */
export function refuseZippedDocument(name: string, start: Uint8Array): void {
  if (!zipMagic.every((byte, index) => start[index] === byte)) return;
  const members = Buffer.from(start).toString('latin1');
  const found = zippedDocuments.find(({ member }) => members.includes(member));
  if (found) throw new DataError(`${name} is ${found.name}, not text`, { hint: found.hint });
}

/** @throws DataError that names the format of a file that starts as files of a binary format do */
export function refuseBinary(name: string, start: Uint8Array, file: string | undefined): void {
  refuseZippedDocument(name, start);
  const found = binaryFormats.find(({ start: magic, offset = 0 }) =>
    magic.every((byte, index) => byte === undefined || start[offset + index] === byte),
  );
  if (found === undefined) return;
  const { unpack, hint } = found;
  throw new DataError(`${name} is ${found.name}, not text`, {
    hint: unpack === undefined ? (hint ?? '') : `unpack it: ${shellCommand(unpack, file, 'unpacked.tsv')}`,
  });
}

/** Bytes in which a text has at most one NUL. */
const sampleBytes = 4096;

/**
 * Refuses bytes of which no text consists. A single NUL is a stray one, as some databases export.
 *
 * @param start - the start of a file that is not a text in UTF-16 or UTF-32, which consists of NUL bytes in large part
 * @throws DataError
 */
export function refuseNulBytes(name: string, start: Uint8Array, file: string | undefined): void {
  const sample = start.subarray(0, sampleBytes);
  if (sample.indexOf(0) === sample.lastIndexOf(0)) return;
  const filter = String.raw`tr -d '\000'`;
  throw new DataError(`${name} is a binary file of an unknown format, not text: it has NUL bytes`, {
    hint: `${labelledTexts}; if it is a text, remove the NUL bytes: ${shellCommand(file === undefined ? filter : `${filter} <`, file, 'text.tsv')}`,
  });
}

/** The format of a line that is not NeMo's. */
export type LineFormat = 'JSON' | 'CSV' | 'TSV with quotation marks around labels';

/** What to do about each format. */
export const formatHints: Readonly<Record<LineFormat, string>> = {
  JSON: 'set nautil.data.format=table to read all files as tables, or write a text, a tab, and a label (a whole number) on each line',
  CSV: 'set nautil.data.format=table to read all files as tables, or write a text, a tab, and a label (a whole number) on each line, without quotation marks',
  'TSV with quotation marks around labels': 'set nautil.data.format=table, or write it without quotation marks',
};

const label = String.raw`["']?-?\d+["']?`;
const labelLast = new RegExp(String.raw`[,;]\s*${label}\s*$`);
const labelFirst = new RegExp(String.raw`^\s*${label}\s*[,;]`);

/** The format that a line without a tab, or with a label in quotation marks, probably has. */
function lineFormatOf(line: string): LineFormat | undefined {
  if (/\t[^\S\t]*(["'])-?\d+\1\s*$/.test(line)) return 'TSV with quotation marks around labels';
  if (line.includes('\t')) return undefined;
  if (/^\s*(?:\[?\s*\{\s*(?:"|$)|\[\s*$)/.test(line)) return 'JSON';
  return labelLast.test(line) || labelFirst.test(line) ? 'CSV' : undefined;
}

/** Decides from a file's lines whether the file has another format: when most lines do, or its first one is JSON. */
export class FormatVotes {
  readonly #votes = new Map<LineFormat, number>();
  #lines = 0;
  #isFirst = true;
  #first: LineFormat | undefined;

  /** Adds a line that is not blank. */
  add(content: string): void {
    const found = lineFormatOf(content);
    const isHeader = this.#isFirst && found === undefined && !/\d/.test(content);
    if (this.#isFirst) this.#first = found;
    this.#isFirst = false;
    if (isHeader) return;
    this.#lines++;
    if (found !== undefined) this.#votes.set(found, (this.#votes.get(found) ?? 0) + 1);
  }

  winner(): LineFormat | undefined {
    if (this.#first === 'JSON') return 'JSON';
    for (const [format, count] of this.#votes) if (2 * count > this.#lines) return format;
    return undefined;
  }
}

/** Whether a text is enclosed in quotation marks as a CSV writer does it: they would become tokens. */
export const isQuoted = (text: string): boolean =>
  // A regular expression with a repeated group needs a stack as deep as the text is long.
  text.length > 2 &&
  text.startsWith('"') &&
  text.endsWith('"') &&
  !text.slice(1, -1).replaceAll('""', '').includes('"');
