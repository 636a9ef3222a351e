import { isUtf8 } from 'node:buffer';

/** Name of the encoding of a text that starts with these bytes, for iconv; undefined for UTF-8 and what is not recognised. */
export function wideEncodingOf(start: Uint8Array): string | undefined {
  const starts = (...mark: number[]) => mark.every((byte, index) => start[index] === byte);
  if (starts(0xff, 0xfe, 0, 0) || starts(0, 0, 0xfe, 0xff)) return 'UTF-32';
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff)) return 'UTF-16';
  const sample = start.subarray(0, sampleBytes);
  // Without a byte order mark, the NUL bytes of ASCII characters (spaces, digits, tabs, line ends) show a wide encoding.
  if (!sample.includes(0)) return undefined;
  if (isUtf32(sample, true)) return 'UTF-32LE';
  if (isUtf32(sample, false)) return 'UTF-32BE';
  const [little, big] = [asciiIn(sample, 'utf-16le'), asciiIn(sample, 'utf-16be')];
  if (little === undefined && big === undefined) return undefined;
  return (little ?? -1) >= (big ?? -1) ? 'UTF-16LE' : 'UTF-16BE';
}

const sampleBytes = 4096;

function isUtf32(bytes: Uint8Array, littleEndian: boolean): boolean {
  if (bytes.length < 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hasAscii = false;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const code = view.getUint32(at, littleEndian);
    if (code === 0 || code > 0x10ffff) return false;
    hasAscii ||= code < 0x80;
  }
  return hasAscii;
}

/**
 * Number of ASCII characters if the bytes are text in this encoding; undefined if they are not. Bytes that are also valid UTF-8
 * with few ASCII characters are a UTF-8 text with a stray NUL: read as UTF-16, most of its pairs of bytes are ideographs.
 */
function asciiIn(bytes: Uint8Array, encoding: string): number | undefined {
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
    // Unassigned and private characters, and control characters other than those of text.
    if (text === '' || /[\p{Cn}\p{Co}]|(?![\t\n\r\f\v])\p{Cc}/u.test(text)) return undefined;
    const ascii = text.replace(/[^\t-\r -~]/gu, '').length;
    return ascii === 0 || (isUtf8(bytes) && ascii < 0.4 * text.length) ? undefined : ascii;
  } catch {
    return undefined;
  }
}

/** Bytes that WINDOWS-1252 does not define. */
const undefinedIn1252 = [0x81, 0x8d, 0x8f, 0x90, 0x9d];
const eastAsian = ['GB18030', 'BIG5', 'SHIFT_JIS', 'EUC-JP', 'EUC-KR'];

/** Collects what the bytes of a text that is not UTF-8 show about its encoding. */
export class ByteSurvey {
  readonly #seen = new Uint8Array(256);
  readonly #candidates = new Map(eastAsian.map((name) => [name, new TextDecoder(name, { fatal: true })]));
  #bytes = 0;
  #high = 0;
  #validCharacters = 0;
  #invalidBytes = 0;

  /** Adds the next bytes. A character that is cut between two calls counts as invalid, which changes no result. */
  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte < 0x80) continue;
      const length = characterLength(bytes, at);
      if (length === 0) this.#invalidBytes++;
      else this.#validCharacters++;
      for (let end = at + Math.max(1, length); ; at++) {
        this.#seen[bytes[at] ?? 0] = 1;
        this.#high++;
        if (at + 1 >= end) break;
      }
    }
    for (const [name, decoder] of this.#candidates) {
      try {
        decoder.decode(bytes, { stream: true });
      } catch {
        this.#candidates.delete(name);
      }
    }
  }

  /** How the user can convert the text to UTF-8. `command` returns the shell command that converts from an encoding. */
  hint(command: (encoding: string) => string): string {
    if (this.#validCharacters >= this.#invalidBytes && this.#validCharacters > 0) {
      return 'most of its special characters are valid UTF-8, so converting all of it would damage them: correct the invalid lines';
    }
    // Text in a Latin script consists mostly of ASCII.
    if (this.#high > 0.3 * this.#bytes) {
      const [likely = 'WINDOWS-1251'] = [...this.#candidates.keys()];
      const script = this.#candidates.size > 0 ? 'Chinese, Japanese or Korean' : 'Cyrillic';
      return `convert it with the name of its encoding; if it is ${script}, perhaps: ${command(likely)}`;
    }
    const has = (byte: number) => this.#seen[byte] === 1;
    if (undefinedIn1252.some(has))
      return 'it is neither Latin-1 nor WINDOWS-1252: convert it with the name of its encoding';
    // ISO-8859-1 has control characters at 0x80-0x9F, where WINDOWS-1252 has apostrophes, quotation marks and dashes.
    const isWindows = this.#seen.subarray(0x80, 0xa0).includes(1);
    return isWindows
      ? `if the text is from Windows, convert it: ${command('WINDOWS-1252')}`
      : `if the text is Latin-1, convert it: ${command('ISO-8859-1')}`;
  }
}

/** Length of the valid UTF-8 character of several bytes at a position; 0 if there is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

/** The shell command that converts a file, or the standard input of a command, to UTF-8. */
export const conversionCommand = (encoding: string, file: string | undefined): string =>
  shellCommand(`iconv -f ${encoding} -t UTF-8`, file, 'utf8.tsv');

/** A shell command that filters a file into another one, or the standard input of a command. */
export function shellCommand(filter: string, file: string | undefined, target: string): string {
  if (file === undefined) return `… | ${filter} | …`;
  const path = file.startsWith('-') ? `./${file}` : file;
  const quoted = /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
  return `${filter} ${quoted} > ${target}`;
}
