import { DataError } from './data-error.js';

/** A reason why no model can be trained on a file's labels. */
export interface LabelFault {
  kind: 'negative-label' | 'label-beyond-classes' | 'label-too-large' | 'one-label' | 'sparse-labels';

  /** A label that causes the fault. */
  label: number;

  message: string;
  hint: string;
}

const relabelHint = ', or nautil.data.relabel=true to number the labels from 0 and keep them as class names';

/** Labels are stored as 32-bit integers. */
export const maxLabel = 2 ** 31 - 1;

/**
 * Decides whether a model can be trained on a file, from the labels in it. `inspect` and runs share this decision.
 *
 * @param numClasses - the configured number of classes; undefined: the largest label plus 1
 */
export function labelFault(labels: Iterable<number>, numClasses?: number): LabelFault | undefined {
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
    };
  if (numClasses !== undefined && largest >= numClasses)
    return {
      kind: 'label-beyond-classes',
      label: largest,
      message: `label ${largest} is not between 0 and ${numClasses - 1} (num_classes is ${numClasses})`,
      hint: `correct the label, or set model.dataset.num_classes to ${largest + 1} or more`,
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
    };
  const empty = largest + 1 - sorted.length;
  if (numClasses === undefined && empty > sorted.length)
    return {
      kind: 'sparse-labels',
      label: largest,
      message: `${sorted.length} different labels up to ${largest} would leave ${empty} of ${largest + 1} classes without examples`,
      hint: `set model.dataset.num_classes=${largest + 1} if the empty classes are intended${relabelHint}`,
    };
  return undefined;
}

/** @throws DataError unless a model can be trained on labels that first occur on these lines */
export function requireTrainable(path: string, firstLines: ReadonlyMap<number, number>, numClasses?: number): void {
  const fault = labelFault(firstLines.keys(), numClasses);
  if (fault === undefined) return;
  throw new DataError(`${path}:${firstLines.get(fault.label) ?? 1}: ${fault.message}`, { hint: fault.hint });
}
