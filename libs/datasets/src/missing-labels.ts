import { ownCopy } from '@nautil/contracts';
import { parsePythonInt } from '@nautil/python-format';

/** Why the lines of a file have no labels. */
export interface MissingLabels {
  kind: 'swapped' | 'words' | 'missing';
  message: string;
  hint: string;
}

/** A file with more different last columns has texts there. */
const maxWords = 1000;

/** Looks for the reason why most lines of a file do not end in an integer label. */
export class LabelSearch {
  #lines = 0;
  #labelled = 0;
  #startingWithInteger = 0;
  #endingInWord = 0;
  #firstStartsWithInteger = false;
  readonly #words = new Set<string>();

  /** Adds a line that is not blank. */
  add(content: string, hasLabel: boolean): void {
    this.#lines++;
    if (hasLabel) this.#labelled++;
    const tab = content.indexOf('\t');
    const startsWithInteger = tab > 0 && parsePythonInt(content.slice(0, tab).trim()) !== undefined;
    // The first line may be a header.
    if (this.#lines === 1) {
      this.#firstStartsWithInteger = startsWithInteger;
      return;
    }
    if (startsWithInteger) this.#startingWithInteger++;
    const word = content.slice(content.lastIndexOf('\t') + 1).trim();
    if (tab < 0 || hasLabel || !/^\S+(?: \S+){0,2}$/.test(word) || word.length > 40) return;
    this.#endingInWord++;
    if (this.#words.size < maxWords && !this.#words.has(word)) this.#words.add(ownCopy(word));
  }

  /** undefined when at least half of the lines have labels, or when there are no lines. */
  result(): MissingLabels | undefined {
    const others = this.#lines - 1;
    if (this.#lines === 0 || 2 * this.#labelled >= this.#lines) return undefined;
    if (this.#startingWithInteger === others && (others > 0 || this.#firstStartsWithInteger))
      return {
        kind: 'swapped',
        message: 'the label and the text look swapped: every line starts with an integer',
        hint: 'write the text first, then a tab, and the label last',
      };
    // Labels repeat, texts do not.
    if (others > 0 && this.#endingInWord === others && this.#words.size <= Math.max(2, others / 2)) {
      const words = [...this.#words].sort();
      const shown = words.slice(0, 3).map((word) => JSON.stringify(word));
      const numbers = shown.map((word, id) => `${id} for ${word}`).join(', ');
      return {
        kind: 'words',
        message: `the labels are not whole numbers: ${shown.join(', ')}${words.length > 3 ? ' …' : ''}`,
        hint: `number the labels from 0, for example ${numbers}, and write the number in place of the word`,
      };
    }
    return {
      kind: 'missing',
      message: 'the labels are missing: most lines do not end in an integer',
      hint: 'end each line with a tab and its label (a whole number from 0)',
    };
  }
}
