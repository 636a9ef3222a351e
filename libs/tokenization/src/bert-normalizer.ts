import { isIdeograph, lowerEach, stripAccents } from './character-classes.js';

const control = /^[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const space = /^\p{White_Space}$/u;
const plainAscii = /^[\x20-\x7e]*$/;

/** The reference's table of ideographs starts its sixth range 256 code points late. */
const isSkippedByReference = (codePoint: number) => codePoint >= 0x2b820 && codePoint < 0x2b920;

/** The options of a `BertNormalizer` in tokenizer.json. */
export interface BertNormalizerOptions {
  cleanText: boolean;
  splitIdeographs: boolean;
  lowercase: boolean;

  /** Null: as `lowercase`. */
  stripAccents: boolean | null;
}

/**
 * Normalizes a text for BERT as Hugging Face's Rust library does. The package's own step differs: it misses ideographs beyond
 * U+FFFF, and lower-cases the text as a whole, where a capital sigma at a word's end becomes ς; the reference lower-cases each
 * character alone.
 */
export function normalizeForBert(text: string, options: BertNormalizerOptions): string {
  const { cleanText, splitIdeographs, lowercase } = options;
  if (plainAscii.test(text)) return lowercase ? text.toLowerCase() : text;
  let normal = '';
  for (const char of text) {
    const codePoint = char.codePointAt(0) ?? 0;
    if (cleanText && (codePoint === 0xfffd || isControl(char))) continue;
    if (cleanText && space.test(char)) normal += ' ';
    else if (splitIdeographs && isIdeograph(codePoint) && !isSkippedByReference(codePoint)) normal += ` ${char} `;
    else normal += char;
  }
  if (options.stripAccents ?? lowercase) normal = stripAccents(normal);
  return lowercase ? lowerEach(normal) : normal;
}

function isControl(char: string): boolean {
  return char !== '\t' && char !== '\n' && char !== '\r' && control.test(char);
}
