import { whiteSpace, wordCharacter } from './rust-unicode.js';
import { TokenMatcher } from './token-matcher.js';
import type { AddedToken } from './tokenizer-definition.js';

/** A part of a text: an added token, or a text between them. */
export type Section = { readonly token: AddedToken } | { readonly text: string };

const wordEdge = new RegExp(`^${wordCharacter}`, 'v');
const space = new RegExp(`^${whiteSpace}$`, 'u');

/**
 * Finds added tokens in a text; of several at one place, the longest.
 *
 * `@huggingface/tokenizers` 0.2.0 differs from the Rust library: it ignores `single_word`, strips JavaScript's white space, and
 * takes a text for a token that becomes equal to one only when it is normalized (`＜mask＞` with NFKC).
 */
export class AddedTokenSplitter {
  readonly #byContent: ReadonlyMap<string, AddedToken>;
  readonly #matcher: TokenMatcher;

  /** @param tokens - by the text that is looked for: their content, or what a normalizer makes of it */
  constructor(tokens: Iterable<readonly [string, AddedToken]>) {
    this.#byContent = new Map(tokens);
    this.#matcher = new TokenMatcher(this.#byContent.keys());
  }

  /** The non-empty parts of a text. */
  split(text: string): Section[] {
    const sections: Section[] = [];
    let end = 0;
    for (const { start: index, content } of this.#matcher.matches(text)) {
      const token = this.#byContent.get(content);
      if (token === undefined) continue;
      const after = index + content.length;
      if (token.single_word === true && (endsWord(text, index) || startsWord(text, after))) continue;
      const start = token.lstrip === true ? Math.max(end, spaceStart(text, index)) : index;
      if (start > end) sections.push({ text: text.slice(end, start) });
      sections.push({ token });
      end = token.rstrip === true ? spaceEnd(text, after) : after;
    }
    if (end < text.length) sections.push({ text: text.slice(end) });
    return sections;
  }
}

const startsWord = (text: string, at: number): boolean =>
  at < text.length && wordEdge.test(String.fromCodePoint(text.codePointAt(at) ?? 0));

function endsWord(text: string, at: number): boolean {
  const isPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(0, at - 2), at));
  return at > 0 && wordEdge.test(text.slice(at - (isPair ? 2 : 1), at));
}

function spaceStart(text: string, at: number): number {
  while (at > 0 && space.test(text.charAt(at - 1))) at--;
  return at;
}

function spaceEnd(text: string, at: number): number {
  while (at < text.length && space.test(text.charAt(at))) at++;
  return at;
}
