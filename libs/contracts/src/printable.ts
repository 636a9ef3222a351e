import { maskSecrets } from './mask-secrets.js';

/** Longer texts are shortened: a server once answered with 10 MB. */
const longestText = 50_000;

/** So are longer lines, such as names in a damaged file. */
const longestLine = 4000;

/**
 * What a terminal would obey instead of showing it: control characters except for line feeds and tabs, and marks that change the
 * direction of the text beside them.
 */
// eslint-disable-next-line no-control-regex -- these are the characters to escape
const unprintable = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * A text that may be shown: names in files and messages of servers can contain anything. Control characters are escaped, secrets
 * in addresses are masked, and what is too long is shortened. Everything that is printed for people passes through it.
 *
 * @param o.maxLength - of the text; default 50,000
 */
export function printable(text: string, { maxLength = longestText }: { maxLength?: number } = {}): string {
  // Masked first: half an address would not be recognised. Escapes make a text longer, so it is shortened before them, too.
  const kept = shortened(maskSecrets(text), maxLength);
  const lines = kept.split('\n').map((line) => shortened(escapeControls(line.replace(/\r$/, '')), longestLine));
  return shortened(lines.join('\n'), maxLength);
}

/** Escapes control characters, and nothing else. */
export const escapeControls = (text: string): string =>
  text.replace(unprintable, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });

function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text;
  return `${text.slice(0, longest).replace(/[\ud800-\udbff]$/, '')}… (${text.length - longest} more characters)`;
}
