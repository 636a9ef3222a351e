import type { ClassificationReport } from '@nautil/contracts';
import { className } from './format-report.js';

/** States over which classes the macro averages are taken, when some classes have no examples; undefined otherwise. */
export function macroNote({ classes }: Pick<ClassificationReport, 'classes'>): string | undefined {
  const empty = classes.filter(({ support }) => support === 0);
  if (empty.length === 0) return undefined;
  const f1OverAll = classes.reduce((sum, { f1 }) => sum + f1, 0) / classes.length;
  const names = empty.slice(0, 10).map(className).join(', ') + (empty.length > 10 ? ', …' : '');
  return (
    `macro averages are over the ${classes.length - empty.length} of ${classes.length} classes with examples, as in NeMo ` +
    `(F1 over all classes, as in scikit-learn: ${f1OverAll.toFixed(4)}); without examples: ${names}`
  );
}
