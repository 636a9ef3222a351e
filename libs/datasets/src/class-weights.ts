import type { Example } from '@nautil/contracts';
import { DataError } from './data-error.js';
import { MissingTabs } from './missing-tabs.js';
import { isQuoted } from './name-format.js';
import { isSkipped, readExamples, type ReadOptions } from './read-examples.js';
import type { SkippedLine } from './skipped-line.js';

export interface LabelCounts {
  /** Number of examples by label, in ascending order of labels. */
  counts: Map<number, number>;

  /** Number of the line on which each label first occurs. */
  firstLines: Map<number, number>;

  examples: number;
  skipped: number;

  /** The first ten skipped lines. */
  skippedLines: SkippedLine[];

  /** The labels that occur only on lines without a tab, in a file in which most lines have one. */
  withoutTab: Set<number>;

  /** The number of lines without a tab, in a file in which most lines have one. */
  linesWithoutTab: number;

  /** Examples whose whole text is in quotation marks. */
  quoted: number;

  /** The largest label plus 1. */
  numClasses: number;
}

/**
 * Counts the labels of a TSV.
 *
 * @param onExample - is called with each example
 * @throws DataError as `readExamples`.
 */
export async function labelCounts(
  path: string,
  { onExample, ...options }: ReadOptions & { onExample?: (example: Example) => void } = {},
): Promise<LabelCounts> {
  const counts = new Map<number, number>();
  const firstLines = new Map<number, number>();
  const skippedLines: SkippedLine[] = [];
  const tabs = new MissingTabs();
  let examples = 0;
  let skipped = 0;
  let quoted = 0;
  for await (const item of readExamples(path, { ...options, tabs })) {
    if (isSkipped(item)) {
      skipped++;
      if (skippedLines.length < 10) skippedLines.push(item);
      continue;
    }
    examples++;
    onExample?.(item);
    if (isQuoted(item.text)) quoted++;
    if (!firstLines.has(item.label)) firstLines.set(item.label, item.line);
    counts.set(item.label, (counts.get(item.label) ?? 0) + 1);
  }
  const sorted = new Map([...counts].sort(([a], [b]) => a - b));
  return {
    counts: sorted,
    firstLines,
    examples,
    skipped,
    skippedLines,
    withoutTab: tabs.labels(),
    linesWithoutTab: tabs.lines(),
    quoted,
    numClasses: ([...sorted.keys()].at(-1) ?? -1) + 1,
  };
}

/**
 * The loss weight of each class for `class_balancing: weighted_loss`, as NeMo's calc_class_weights computes it:
 * examples / (number of distinct labels × examples of the class), and 1 for a class without examples.
 *
 * @throws DataError for a label outside 0 … numClasses-1
 */
export function classWeights(counts: ReadonlyMap<number, number>, numClasses: number): number[] {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const weights = new Array<number>(numClasses).fill(1);
  for (const [label, count] of counts) {
    if (label < 0 || label >= numClasses) {
      throw new DataError(`label ${label} is not between 0 and ${numClasses - 1}, so it has no loss weight`, {
        hint: 'correct the labels of the training file, or change model.dataset.num_classes',
      });
    }
    weights[label] = total / (counts.size * count);
  }
  return weights;
}
