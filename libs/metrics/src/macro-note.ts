import type { ClassificationReport } from '@nautil/contracts';
import { className } from './format-report.js';

/** Tags of an MLflow run that state over which classes its macro averages are taken, and which classes have no examples. */
export function macroTags({ classes }: Pick<ClassificationReport, 'classes'>): Record<string, string> {
  const empty = classes.filter(({ support }) => support === 0);
  return {
    'nautil.macro_averages': 'over the classes with examples, as in NeMo',
    'nautil.classes_without_examples': empty.length === 0 ? 'none' : namesOf(empty),
  };
}

/** States over which classes the macro averages are taken, when some classes have no examples; undefined otherwise. */
export function macroNote({ classes }: Pick<ClassificationReport, 'classes'>): string | undefined {
  const empty = classes.filter(({ support }) => support === 0);
  if (empty.length === 0) return undefined;
  const f1OverAll = classes.reduce((sum, { f1 }) => sum + f1, 0) / classes.length;
  return (
    `macro averages are over the ${classes.length - empty.length} of ${classes.length} classes with examples, as in NeMo ` +
    `(F1 over all classes, as in scikit-learn: ${f1OverAll.toFixed(4)}); without examples: ${namesOf(empty)}`
  );
}

const namesOf = (classes: ClassificationReport['classes']): string =>
  classes.slice(0, 10).map(className).join(', ') + (classes.length > 10 ? ', …' : '');
