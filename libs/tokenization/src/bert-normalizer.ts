import { isIdeograph, lowerEach, stripAccents } from './character-classes.js';

const control = /^[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const space = /^\p{White_Space}$/u;
const plainAscii = /^[\x20-\x7e]*$/;

/** The Rust library's table of ideographs starts one range 256 code points late. */
const isMissingInReference = (codePoint: number) => codePoint >= 0x2b820 && codePoint < 0x2b920;

/** The options of a `BertNormalizer` in tokenizer.json. */
export interface BertNormalizerOptions {
  cleanText: boolean;
  splitIdeographs: boolean;
  lowercase: boolean;

  /** null means the value of `lowercase`. */
  stripAccents: boolean | null;
}

/**
 * Normalizes a text for BERT as Hugging Face's Rust library does. `@huggingface/tokenizers` differs in two ways: it ignores
 * ideographs beyond U+FFFF, and it lower-cases the whole text, so that a capital sigma at the end of a word becomes ς. The Rust
 * library lower-cases each character separately.
 */
export function normalizeForBert(text: string, options: BertNormalizerOptions): string {
  const { cleanText, splitIdeographs, lowercase } = options;
  if (plainAscii.test(text)) return lowercase ? text.toLowerCase() : text;
  let normal = '';
  for (const char of text) {
    const codePoint = char.codePointAt(0) ?? 0;
    if (cleanText && (codePoint === 0xfffd || isControl(char))) continue;
    if (cleanText && space.test(char)) normal += ' ';
    else if (splitIdeographs && isIdeograph(codePoint) && !isMissingInReference(codePoint)) normal += ` ${char} `;
    else normal += char;
  }
  if (options.stripAccents ?? lowercase) normal = stripAccents(normal);
  return lowercase ? lowerEach(normal) : normal;
}

function isControl(char: string): boolean {
  return char !== '\t' && char !== '\n' && char !== '\r' && control.test(char);
}
