import { ownCopy } from '@nautil/contracts';
import { SeenTexts } from '../seen-texts.js';

/** A text that occurs more than once. */
export interface RepeatedText {
  /** The label of all copies; undefined if they have several. */
  label: string | undefined;
  copies: number;
}

/**
 * Finds the texts that occur more than once among labelled examples. Memory is bounded as that of `SeenTexts`, and each repeated
 * text takes about 100 bytes more.
 */
export class TextCopies {
  readonly #seen = new SeenTexts();
  readonly #labels: string[] = [];
  readonly #ids = new Map<string, number>();

  /** By the number of the example in which the text first occurs, from 1. */
  readonly #repeated = new Map<number, RepeatedText>();

  /** By the number of the label. */
  readonly #rows: number[] = [];
  #examples = 0;

  add(text: string, label: string): void {
    const id = this.#idOf(label);
    const first = this.#seen.add(text, { line: ++this.#examples, label: id });
    if (first === undefined) return;
    const found = this.#repeated.get(first.line) ?? { label: this.#labels[first.label], copies: 1 };
    if (found.copies++ === 1) {
      this.#repeated.set(first.line, found);
      this.#countRow(first.label);
    }
    if (first.label !== id) found.label = undefined;
    this.#countRow(id);
  }

  /** Whether a text occurs among the examples. */
  has(text: string): boolean {
    return this.#seen.find(text) !== undefined;
  }

  /** The repeated text that an example has; undefined for a text that occurs once. */
  find(text: string): RepeatedText | undefined {
    const first = this.#repeated.size === 0 ? undefined : this.#seen.find(text);
    return first && this.#repeated.get(first.line);
  }

  /** The repeated texts by their label; undefined: those with several. They are in the order of their second occurrences. */
  repeatedByLabel(): Map<string | undefined, RepeatedText[]> {
    const texts = new Map<string | undefined, RepeatedText[]>();
    for (const text of this.#repeated.values()) {
      const some = texts.get(text.label);
      if (some) some.push(text);
      else texts.set(text.label, [text]);
    }
    return texts;
  }

  /** The number of examples with a label whose texts are repeated. */
  repeatedRows(label: string): number {
    return this.#rows[this.#ids.get(label) ?? -1] ?? 0;
  }

  /** The number of different texts that were compared, if there were more. */
  get comparedOnly(): number | undefined {
    return this.#seen.comparedOnly;
  }

  #countRow(label: number): void {
    this.#rows[label] = (this.#rows[label] ?? 0) + 1;
  }

  #idOf(label: string): number {
    const known = this.#ids.get(label);
    if (known !== undefined) return known;
    const own = ownCopy(label);
    this.#ids.set(own, this.#labels.length);
    return this.#labels.push(own) - 1;
  }
}
