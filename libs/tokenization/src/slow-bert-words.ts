import { splitWords } from '@nautil/python-format';
import type { BertNormalizerOptions } from './bert-normalizer.js';
import { isIdeograph, lowerEach, stripAccents } from './character-classes.js';

// All of category C, including unassigned code points, as Python's unicodedata has it; the Rust library uses only parts of it.
const control = /^\p{C}$/u;
const space = /^\p{Zs}$/u;
const punctuation = /^[\p{P}!-/:-@[-`{-~]$/u;

/**
 * Splits one whitespace-separated word into the words that WordPiece receives and the special tokens among them, as Hugging
 * Face's slow BertTokenizer does (transformers 4.40, the version used with NeMo 1.23).
 */
export function slowBertWords(
  word: string,
  special: { has(token: string): boolean; split(text: string): string[] },
  options: BertNormalizerOptions,
): string[] {
  // The slow tokenizer first lower-cases everything outside special tokens, one character at a time, and then searches again.
  const text = options.lowercase
    ? special
        .split(word)
        .map((part) => (special.has(part) ? part : lowerEach(part)))
        .join('')
    : word;
  return special.split(text).flatMap((part) => (special.has(part) ? [part] : basicTokens(part, special, options)));
}

function basicTokens(text: string, special: { has(token: string): boolean }, options: BertNormalizerOptions): string[] {
  const words = splitWords(clean(text, options.splitIdeographs).normalize('NFC'));
  return words.flatMap((word) => {
    if (special.has(word)) return [word];
    const lower = options.lowercase ? word.toLowerCase() : word;
    const bare = (options.stripAccents ?? options.lowercase) ? stripAccents(lower) : lower;
    return splitPunctuation(bare).flatMap(splitWords);
  });
}

function clean(text: string, splitIdeographs: boolean): string {
  let cleaned = '';
  for (const char of text) {
    const codePoint = char.codePointAt(0) ?? 0;
    if (char === '\t' || char === '\n' || char === '\r' || space.test(char)) cleaned += ' ';
    else if (codePoint === 0xfffd || control.test(char)) continue;
    else if (splitIdeographs && isIdeograph(codePoint)) cleaned += ` ${char} `;
    else cleaned += char;
  }
  return cleaned;
}

/** Makes each punctuation character a separate word. */
function splitPunctuation(word: string): string[] {
  const parts: string[] = [];
  let plain = '';
  for (const char of word) {
    if (!punctuation.test(char)) {
      plain += char;
      continue;
    }
    if (plain !== '') parts.push(plain);
    parts.push(char);
    plain = '';
  }
  if (plain !== '') parts.push(plain);
  return parts;
}
