import type { Objective, RunScores, TextClassificationResult } from '@nautil/contracts';

const scoreNames = {
  f1_macro: 'f1Macro',
  f1_micro: 'f1Micro',
  f1_weighted: 'f1Weighted',
  accuracy: 'accuracy',
  loss: 'loss',
} as const satisfies Record<string, keyof RunScores>;

/** The score that the objective names, of a run's packaged weights; undefined when it is absent or not a finite number. */
export function objectiveOf(
  { scores, validation }: Pick<TextClassificationResult, 'scores' | 'validation'>,
  objective: Objective,
): number | undefined {
  const [split, name] = objective.split('/') as [RunScores['split'], keyof typeof scoreNames];
  const found = [scores, validation].find((candidate) => candidate?.split === split)?.[scoreNames[name]];
  return Number.isFinite(found) ? found : undefined;
}

/** True when `a` is better than `b`: a smaller loss, or a larger value of any other score. */
export const isBetter = (objective: Objective, a: number, b: number): boolean =>
  objective.endsWith('/loss') ? a < b : a > b;
