import { isIdeograph, lowerEach } from './character-classes.js';
import { control, nonSpacingMark, normalizeUnicode, whiteSpace } from './rust-unicode.js';
import type { PipelineStep } from './tokenizer-definition.js';

const removedCharacter = new RegExp(`^(?:\ufffd|[${control}--[\t\n\r]])$`, 'v');
const space = new RegExp(`^${whiteSpace}$`, 'u');
const accents = new RegExp(nonSpacingMark, 'gv');
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
 * Normalizes a text for BERT as Hugging Face's Rust library does. `@huggingface/tokenizers` differs in three ways: it ignores
 * ideographs beyond U+FFFF; it lower-cases the whole text, so that a capital sigma at the end of a word becomes ς, and the Rust
 * library lower-cases each character separately; and it takes marks and control characters from a newer Unicode.
 */
export function normalizeForBert(text: string, options: BertNormalizerOptions): string {
  const { cleanText, splitIdeographs, lowercase } = options;
  if (plainAscii.test(text)) return lowercase ? text.toLowerCase() : text;
  let normal = '';
  for (const char of text) {
    const codePoint = char.codePointAt(0) ?? 0;
    if (cleanText && removedCharacter.test(char)) continue;
    if (cleanText && space.test(char)) normal += ' ';
    else if (splitIdeographs && isIdeograph(codePoint) && !isMissingInReference(codePoint)) normal += ` ${char} `;
    else normal += char;
  }
  if (options.stripAccents ?? lowercase) normal = normalizeUnicode(normal, 'NFD').replace(accents, '');
  return lowercase ? lowerEach(normal) : normal;
}

/** The options of a `BertNormalizer` step, with the Rust library's defaults. */
export function bertNormalizerOptions(step: PipelineStep): BertNormalizerOptions {
  return {
    cleanText: step['clean_text'] !== false,
    splitIdeographs: step['handle_chinese_chars'] !== false,
    lowercase: step['lowercase'] === true,
    stripAccents: typeof step['strip_accents'] === 'boolean' ? step['strip_accents'] : null,
  };
}
