/** Finds special tokens in a text; of several at one position, the longest. */
export class SpecialTokens {
  readonly #contents: ReadonlySet<string>;
  readonly #pattern: RegExp | undefined;

  constructor(contents: Iterable<string>) {
    this.#contents = new Set([...contents].filter((content) => content !== ''));
    if (this.#contents.size === 0) return;
    const longestFirst = [...this.#contents].sort((a, b) => b.length - a.length);
    const escaped = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    this.#pattern = new RegExp(`(${escaped.join('|')})`);
  }

  has(token: string): boolean {
    return this.#contents.has(token);
  }

  occurIn(text: string): boolean {
    return this.#pattern?.test(text) ?? false;
  }

  /** Splits a text into special tokens and the non-empty parts between them. */
  split(text: string): string[] {
    return (this.#pattern ? text.split(this.#pattern) : [text]).filter((part) => part !== '');
  }
}
