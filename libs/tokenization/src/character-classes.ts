/** What Python's `str.split()` splits at; \s differs: it has U+FEFF and lacks U+001C to U+001F and U+0085. */
const pythonSpaces = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/; // eslint-disable-line no-control-regex

/** The words of a text as Python's `str.split()` gives them. */
export function splitWords(text: string): string[] {
  const words = text.split(pythonSpaces);
  if (words[0] === '') words.shift();
  if (words.at(-1) === '') words.pop();
  return words;
}

/** Ideographs, which BERT takes one at a time, by code point; Kana and Hangul are not among them. */
const ideographs: readonly (readonly [number, number])[] = [
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b820, 0x2ceaf],
  [0x2f800, 0x2fa1f],
];

/** Whether BERT puts spaces around the character. */
export function isIdeograph(codePoint: number): boolean {
  return codePoint >= 0x3400 && ideographs.some(([first, last]) => codePoint >= first && codePoint <= last);
}

const accents = /\p{Mn}/gu;

/** The text without its non-spacing marks, decomposed. */
export function stripAccents(text: string): string {
  return text.normalize('NFD').replace(accents, '');
}

/** The text lower-cased one character at a time: a capital sigma is never the ς of a word's end. */
export function lowerEach(text: string): string {
  let lower = '';
  for (const char of text) lower += char.toLowerCase();
  return lower;
}
