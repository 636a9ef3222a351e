import type { Example } from '@nautil/contracts';

/** Finds the labels that are probably the last words of texts, such as a year, because their lines have no tab. */
export class MissingTabs {
  #examples = 0;
  #lines = 0;
  readonly #afterTab = new Set<number>();
  readonly #withoutTab = new Set<number>();

  add(content: string, { text, label }: Pick<Example, 'text' | 'label'>): void {
    this.#examples++;
    if (hasTab(content)) this.#afterTab.add(label);
    else if (text !== '') {
      this.#lines++;
      this.#withoutTab.add(label);
    }
  }

  /** The number of texts without a tab before the label; 0 if most lines are such, because spaces then separate the labels. */
  lines(): number {
    return 2 * this.#lines >= this.#examples ? 0 : this.#lines;
  }

  /** The labels that occur only on lines without a tab, in a file in which most lines have one. */
  labels(): Set<number> {
    if (this.lines() === 0) return new Set();
    return new Set([...this.#withoutTab].filter((label) => !this.#afterTab.has(label)));
  }
}

/** Whether a tab precedes the label of a line. */
export const hasTab = (content: string): boolean => content.trimEnd().includes('\t');
