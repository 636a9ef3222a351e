import { type ClassificationReport, type ClassScores, counted, type Scores } from '@nautil/contracts';
import { pythonFixed } from '@nautil/python-format';

const labelWidth = 50;

/** NeMo lists all classes. A log with more rows in each epoch than this would be useless, and large. */
const listedClasses = 1000;

/**
 * Formats a report exactly as NeMo prints it after `val_report: ` and `test_report: `: in percent, with a leading and a
 * trailing newline, and `name (label_id: i)` for a class with a name. After a thousand classes, only the number of the others.
 */
export function formatNemoReport(report: ClassificationReport): string {
  const unlisted = report.classes.length - listedClasses;
  const lines = [
    '',
    [padEnd('label', labelWidth), ...['precision', 'recall', 'f1', 'support'].map((title) => title.padEnd(10))].join(
      '   ',
    ),
    ...report.classes.slice(0, listedClasses).map((scores) => row(nemoLabel(scores), scores, scores.support)),
    ...(unlisted > 0 ? [`and ${counted(unlisted, 'more class', 'more classes')}`] : []),
    '-------------------',
    row('micro avg', report.micro, report.support),
    row('macro avg', report.macro, report.support),
    row('weighted avg', report.weighted, report.support),
    '',
  ];
  return lines.join('\n');
}

const nemoLabel = ({ labelId, labelName }: Pick<ClassScores, 'labelId' | 'labelName'>): string =>
  labelName === undefined ? `label_id: ${labelId}` : `${labelName} (label_id: ${labelId})`;

function row(label: string, { precision, recall, f1 }: Scores, support: number): string {
  const scores = [precision, recall, f1].map((score) => pythonFixed(percent(score), 2).padStart(8));
  return [padEnd(label, labelWidth), ...scores, String(support).padStart(8)].join('   ');
}

/** Recovers the float32 percentage behind a fraction: multiplying by 100 in float64 alone would break ties differently. */
const percent = (fraction: number): number => Math.fround(fraction * 100);

/** Python pads by code points, JavaScript by UTF-16 units. */
const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - [...text].length));
