import { TokenMatcher } from './token-matcher.js';

/** Finds special tokens in a text; of several at one position, the longest. */
export class SpecialTokens {
  readonly #contents: ReadonlySet<string>;
  readonly #matcher: TokenMatcher;

  constructor(contents: Iterable<string>) {
    this.#contents = new Set(contents);
    this.#matcher = new TokenMatcher(this.#contents);
  }

  has(token: string): boolean {
    return token !== '' && this.#contents.has(token);
  }

  occurIn(text: string): boolean {
    return this.#matcher.occurIn(text);
  }

  /** Splits a text into special tokens and the non-empty parts between them. */
  split(text: string): string[] {
    const parts: string[] = [];
    let end = 0;
    for (const { start, content } of this.#matcher.matches(text)) {
      if (start > end) parts.push(text.slice(end, start));
      parts.push(content);
      end = start + content.length;
    }
    if (end < text.length) parts.push(text.slice(end));
    return parts;
  }
}
