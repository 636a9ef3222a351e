import { PieceTrie } from './piece-trie.js';

/** A token that a text contains. */
export interface TokenMatch {
  /** Of its first UTF-16 code unit. */
  readonly start: number;
  readonly content: string;
}

/**
 * Finds tokens in a text from its beginning, without overlaps; of several at one place, the longest.
 *
 * The automaton of Aho and Corasick (https://doi.org/10.1145/360825.360855) for the reversed tokens reads the text from its end, and
 * knows at each place the longest token that starts there. The time is proportional to the text's length, however many tokens there
 * are. An alternation in a regular expression tries them one after the other, and takes seconds to compile for 20,000.
 */
export class TokenMatcher {
  readonly #contents: readonly string[];
  readonly #trie = new PieceTrie();

  /** For each node, that of its longest proper suffix in the trie. */
  readonly #failures: Int32Array;

  /** For each node, the longest token that is a suffix of it; -1 for none. */
  readonly #longest: Int32Array;

  /** The first code units of the tokens; undefined if there are no tokens. */
  readonly #anyFirstUnit: RegExp | undefined;

  /** @param contents - empty ones are ignored */
  constructor(contents: Iterable<string>) {
    this.#contents = [...new Set(contents)].filter((content) => content !== '').sort((a, b) => b.length - a.length);
    this.#contents.forEach((content, token) => {
      this.#trie.add(reversed(content), token);
    });
    this.#failures = new Int32Array(this.#trie.size);
    this.#longest = new Int32Array(this.#trie.size).fill(-1);
    this.#link();
    const firstUnits = new Set(this.#contents.map((content) => content.charCodeAt(0)));
    const escaped = Array.from(firstUnits, (unit) => String.raw`\u${unit.toString(16).padStart(4, '0')}`);
    if (escaped.length > 0) this.#anyFirstUnit = new RegExp(`[${escaped.join('')}]`);
  }

  occurIn(text: string): boolean {
    return this.#mayOccurIn(text) && !this.#matchesFromEnd(text).next().done;
  }

  /** The tokens in a text, in its order. */
  matches(text: string): TokenMatch[] {
    if (!this.#mayOccurIn(text)) return [];
    const found: TokenMatch[] = [];
    let end = 0;
    for (const match of [...this.#matchesFromEnd(text)].reverse()) {
      if (match.start < end) continue;
      found.push(match);
      end = match.start + match.content.length;
    }
    return found;
  }

  /** Most texts have no character that a token starts with, which a regular expression finds out fastest. */
  #mayOccurIn(text: string): boolean {
    return this.#anyFirstUnit?.test(text) ?? false;
  }

  /** The longest token at each place where one starts, from the last place to the first. */
  *#matchesFromEnd(text: string): Generator<TokenMatch> {
    let node = 0;
    for (let start = text.length - 1; start >= 0; start--) {
      node = this.#next(node, text.charCodeAt(start));
      const content = this.#contents[this.#longest[node] ?? -1];
      if (content !== undefined) yield { start, content };
    }
  }

  /** The node of the longest suffix of a node and a code unit. */
  #next(node: number, unit: number): number {
    for (;;) {
      const child = this.#trie.child(node, unit);
      if (child !== 0 || node === 0) return child;
      node = this.#failures[node] ?? 0;
    }
  }

  /** Links the nodes one level after the other, because a link leads to a higher level. */
  #link(): void {
    const contents = this.#contents;
    const nodes = new Int32Array(contents.length);
    const isLinked = new Uint8Array(this.#trie.size);
    const deepest = contents[0]?.length ?? 0;
    for (let level = 0; level < deepest; level++) {
      for (let token = 0; token < contents.length; token++) {
        const content = contents[token] ?? '';
        // The tokens are sorted by length.
        if (content.length <= level) break;
        const unit = content.charCodeAt(content.length - 1 - level);
        const parent = nodes[token] ?? 0;
        const node = this.#trie.child(parent, unit);
        nodes[token] = node;
        // Another token that ends alike has linked it.
        if (isLinked[node] === 1) continue;
        isLinked[node] = 1;
        const failure = parent === 0 ? 0 : this.#next(this.#failures[parent] ?? 0, unit);
        const own = this.#trie.tokenAt(node);
        this.#failures[node] = failure;
        this.#longest[node] = own === -1 ? (this.#longest[failure] ?? -1) : own;
      }
    }
  }
}

/** By UTF-16 code units. */
function reversed(content: string): string {
  const units = Array.from({ length: content.length }, (_, at) => content.charCodeAt(content.length - 1 - at));
  return String.fromCharCode(...units);
}
