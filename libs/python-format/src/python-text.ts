/** Python's white space. JavaScript's \s differs: it includes U+FEFF and excludes U+001C to U+001F and U+0085. */
const space = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`;
const spaces = new RegExp(`${space}+`);
// Without the lookbehind, each space inside a text would start a search for its end.
const spacesAtEnds = new RegExp(`^${space}+|(?<!${space})${space}+$`, 'g');

/** Splits a text as Python's `str.split()` does. */
export function splitWords(text: string): string[] {
  const words = text.split(spaces);
  if (words[0] === '') words.shift();
  if (words.at(-1) === '') words.pop();
  return words;
}

/** Strips a text as Python's `str.strip()` does. */
export function stripSpaces(text: string): string {
  return text.replace(spacesAtEnds, '');
}

/** Python refuses to convert more digits. */
const mostDigits = 4300;

const asciiInteger = /^[+-]?\d+(?:_\d+)*$/;
const unicodeInteger = /^[+-]?\p{Nd}+(?:_\p{Nd}+)*$/u;
const digit = /^\p{Nd}$/u;

/** The value of Python's `int(word)`; undefined where it raises ValueError. `-1`, `+1`, `1_0` and full-width digits are integers, `1.0` is not. */
export function parsePythonInt(word: string): number | undefined {
  if (word.length > mostDigits) return undefined;
  if (asciiInteger.test(word)) return Number(word.replaceAll('_', '')) + 0;
  if (!unicodeInteger.test(word)) return undefined;
  const ascii = Array.from(word.replaceAll('_', ''), (char) => (digit.test(char) ? digitValue(char) : char));
  return Number(ascii.join('')) + 0;
}

/** The value of a Unicode decimal digit: such digits form contiguous runs from zero to nine. */
function digitValue(char: string): number {
  const codePoint = char.codePointAt(0) ?? 0;
  let zero = codePoint;
  while (digit.test(String.fromCodePoint(zero - 1))) zero--;
  return (codePoint - zero) % 10;
}
