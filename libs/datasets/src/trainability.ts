import { DataError } from './data-error.js';

/** A reason why no model can be trained on a file's labels. */
export interface LabelFault {
  kind: 'negative-label' | 'label-beyond-classes' | 'label-too-large' | 'one-label' | 'sparse-labels';

  /** A label that causes the fault. */
  label: number;

  message: string;
  hint: string;

  /** The override that the hint proposes. */
  setting?: string;

  /** Whether the fault is only in labels of lines without a tab. */
  withoutTab?: true;
}

const relabel = 'nautil.data.relabel=true';
const relabelHint = ', or nautil.data.relabel=true to number the labels from 0 and keep them as class names';

/** Labels are stored as 32-bit integers. */
export const maxLabel = 2 ** 31 - 1;

export const missingTabHint =
  'put a tab before the label of each line without a tab: the last word of such a line, such as a year, is read as its label';

/**
 * Decides whether a model can be trained on a file, from the labels in it. `inspect` and runs share this decision.
 *
 * @param numClasses - the configured number of classes; undefined: the largest label plus 1
 * @param withoutTab - the labels that occur only on lines without a tab, in a file in which most lines have one
 */
export function labelFault(
  labels: Iterable<number>,
  numClasses?: number,
  withoutTab: ReadonlySet<number> = new Set(),
): LabelFault | undefined {
  const all = [...labels];
  const fault = faultOf(all, numClasses);
  if (fault === undefined || withoutTab.size === 0) return fault;
  const others = all.filter((label) => !withoutTab.has(label));
  if (others.length === 0) return fault;
  const other = faultOf(others, numClasses);
  if (other?.kind === fault.kind) return other;
  const { kind, label, message } = fault;
  return { kind, label, message, hint: missingTabHint, withoutTab: true };
}

function faultOf(labels: Iterable<number>, numClasses: number | undefined): LabelFault | undefined {
  const sorted = [...new Set(labels)].sort((a, b) => a - b);
  const smallest = sorted[0];
  const largest = sorted.at(-1);
  if (smallest === undefined || largest === undefined) return undefined;
  if (smallest < 0)
    return {
      kind: 'negative-label',
      label: smallest,
      message: `label ${smallest} is below 0`,
      hint: `labels start at 0: correct them${relabelHint}`,
      setting: relabel,
    };
  if (numClasses !== undefined && largest >= numClasses)
    return {
      kind: 'label-beyond-classes',
      label: largest,
      message: `label ${largest} is not between 0 and ${numClasses - 1} (num_classes is ${numClasses})`,
      hint:
        smallest > 0
          ? `the labels start at ${smallest}: renumber them from 0${relabelHint}`
          : `correct the label, or set model.dataset.num_classes to ${largest + 1} or more`,
      setting: smallest > 0 ? relabel : `model.dataset.num_classes=${largest + 1}`,
    };
  if (largest > maxLabel)
    return {
      kind: 'label-too-large',
      label: largest,
      message: `label ${largest} is too large`,
      hint: 'labels are whole numbers that start at 0',
    };
  if (numClasses === undefined ? sorted.length < 2 : numClasses < 2)
    return {
      kind: 'one-label',
      label: largest,
      message: 'all examples have the same label: a classifier needs two classes',
      hint: 'if the other classes are only absent here, set model.dataset.num_classes',
      setting: 'model.dataset.num_classes=VALUE',
    };
  const empty = largest + 1 - sorted.length;
  if (numClasses === undefined && empty > sorted.length)
    return {
      kind: 'sparse-labels',
      label: largest,
      message: `${sorted.length} different labels up to ${largest} would leave ${empty} of ${largest + 1} classes without examples`,
      hint: `set model.dataset.num_classes=${largest + 1} if the empty classes are intended${relabelHint}`,
      setting: `model.dataset.num_classes=${largest + 1}`,
    };
  return undefined;
}

/** @throws DataError unless a model can be trained on these labels of a file */
export function requireTrainable(
  path: string,
  { firstLines, withoutTab }: { firstLines: ReadonlyMap<number, number>; withoutTab: ReadonlySet<number> },
  numClasses?: number,
): void {
  const fault = labelFault(firstLines.keys(), numClasses, withoutTab);
  if (fault === undefined) return;
  throw new DataError(`${path}:${firstLines.get(fault.label) ?? 1}: ${fault.message}`, {
    hint: fault.hint,
    setting: fault.setting,
  });
}
