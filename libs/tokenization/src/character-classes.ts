/** Code-point ranges of ideographs, which BERT treats as single words; Kana and Hangul are not included. */
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

/** Decomposes a text (NFD) and removes its non-spacing marks. */
export function stripAccents(text: string): string {
  return text.normalize('NFD').replace(accents, '');
}

/** Lower-cases each character separately, so that a capital sigma never becomes the final form ς. */
export function lowerEach(text: string): string {
  let lower = '';
  for (const char of text) lower += char.toLowerCase();
  return lower;
}
