import type { ClassificationReport, Scores } from '@nautil/contracts';
import { pythonFixed } from '@nautil/python-format';

const labelWidth = 50;

/**
 * NeMo's classification report to the letter, in percent: a leading and a trailing newline, `name (label_id: i)`
 * where the class has a name. NeMo prints it after `val_report: ` and `test_report: `.
 */
export function formatNemoReport(report: ClassificationReport): string {
  const lines = [
    '',
    [padEnd('label', labelWidth), ...['precision', 'recall', 'f1', 'support'].map((title) => title.padEnd(10))].join(
      '   ',
    ),
    ...report.classes.map((of) => row(nemoLabel(of), of, of.support)),
    '-------------------',
    row('micro avg', report.micro, report.support),
    row('macro avg', report.macro, report.support),
    row('weighted avg', report.weighted, report.support),
    '',
  ];
  return lines.join('\n');
}

const nemoLabel = (of: { labelId: number; labelName?: string }): string =>
  of.labelName === undefined ? `label_id: ${of.labelId}` : `${of.labelName} (label_id: ${of.labelId})`;

function row(label: string, of: Scores, support: number): string {
  const scores = [of.precision, of.recall, of.f1].map((score) => pythonFixed(percent(score), 2).padStart(8));
  return [padEnd(label, labelWidth), ...scores, String(support).padStart(8)].join('   ');
}

/** The float32 percentage that the fraction was made from: dividing by 100 and multiplying again would move ties. */
const percent = (fraction: number): number => Math.fround(fraction * 100);

/** Python pads by code points, JavaScript by UTF-16 units. */
const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - [...text].length));
