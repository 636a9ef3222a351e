import { isIdeograph, lowerEach, splitWords, stripAccents } from './character-classes.js';
import type { BertNormalizerOptions } from './bert-normalizer.js';

// Category C as a whole, unassigned code points too: Python's unicodedata is asked for it, the Rust library for three of its parts.
const control = /^\p{C}$/u;
const space = /^\p{Zs}$/u;
const punctuation = /^[\p{P}!-/:-@[-`{-~]$/u;

/**
 * The words that WordPiece gets from one whitespace-separated word, and the special tokens among them, as Hugging Face's slow
 * BertTokenizer (transformers 4.40, which NeMo 1.23 ran with) splits it.
 */
export function slowBertWords(
  word: string,
  special: { has(token: string): boolean; split(text: string): string[] },
  options: BertNormalizerOptions,
): string[] {
  // The slow tokenizer lower-cases what is outside special tokens one character at a time, and only then looks for them.
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

/** Each punctuation character is a word of its own. */
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
