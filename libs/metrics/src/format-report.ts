import type { ClassificationReport, ClassScores, EpochEvaluated, Scores } from '@nautil/contracts';
import { cutToWidth, layOutTable, type Column } from './text-table.js';

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

const longestName = 40;

/** How a class is called in tables and pictures: by its name, or by its id where it has none. */
export const className = ({ labelName, labelId }: Pick<ClassScores, 'labelName' | 'labelId'>): string =>
  labelName ?? String(labelId);

const percent = (fraction: number): string => (fraction * 100).toFixed(2);
const percents = ({ precision, recall, f1 }: Scores): string[] => [precision, recall, f1].map(percent);
const nameCell = (of: ClassScores): string => cutToWidth(className(of), longestName);

/** One report as a table for people, in percent: a row for each class, then the averages. */
export function formatReport(report: ClassificationReport): string {
  return layOutTable(
    [left('class'), right('precision %'), right('recall %'), right('F1 %'), right('examples')],
    [
      ...report.classes.map((of) => [nameCell(of), ...percents(of), String(of.support)]),
      [],
      ...(['micro', 'macro', 'weighted'] as const).map((mode) => [
        `${mode} average`,
        ...percents(report[mode]),
        String(report.support),
      ]),
    ],
  );
}

/**
 * The evaluations of a run as tables for people, in percent: loss and averages by epoch, then precision, recall and F1 by
 * class and epoch. The best epoch, by macro F1, is marked `*`. Of a long run the best epoch and the last ones are shown.
 *
 * @param o.maxEpochs evaluations shown for each split; default 12
 */
export function formatHistory(evaluations: readonly EpochEvaluated[], o: { maxEpochs?: number } = {}): string {
  const splits = [...new Set(evaluations.map(({ split }) => split))];
  return splits.map((split) => formatSplit(split, evaluations, o.maxEpochs ?? 12)).join('\n\n');
}

const splitTitles = { val: 'validation', test: 'test' } as const;

function formatSplit(split: EpochEvaluated['split'], all: readonly EpochEvaluated[], maxEpochs: number): string {
  const evaluations = all.filter((of) => of.split === split);
  const best = evaluations.reduce((a, b) => (b.report.macro.f1 > a.report.macro.f1 ? b : a));
  const last = evaluations.slice(-maxEpochs);
  const shown = last.includes(best) ? last : [best, ...last.slice(1)];
  // Two evaluations of one epoch (val_check_interval) are told apart by their step.
  const when = (of: EpochEvaluated): string => `${of.epoch + 1}${of === best && evaluations.length > 1 ? '*' : ' '}`;

  const byEpoch = layOutTable(
    [
      ...['epoch ', 'step', `${split} loss`, 'accuracy %', 'precision %', 'recall %', 'F1 %', 'micro F1 %'].map(right),
      right('weighted F1 %'),
    ],
    shown.map((of) => [
      when(of),
      String(of.step),
      of.loss.toFixed(4),
      percent(of.report.accuracy),
      ...percents(of.report.macro),
      percent(of.report.micro.f1),
      percent(of.report.weighted.f1),
    ]),
  );
  const byClass = layOutTable(
    [left('class'), ...['epoch ', 'step', 'precision %', 'recall %', 'F1 %', 'examples'].map(right)],
    (shown[0]?.report.classes ?? []).flatMap((_, i) =>
      shown.map((of, row) => {
        const scored = of.report.classes[i]!;
        return [
          row === 0 ? nameCell(scored) : '',
          when(of),
          String(of.step),
          ...percents(scored),
          String(scored.support),
        ];
      }),
    ),
  );
  const hidden = evaluations.length - shown.length;
  const notes = [
    ...(evaluations.length > 1 ? ['* best by macro F1'] : []),
    ...(hidden > 0 ? [`${hidden} earlier evaluations are not shown`] : []),
  ];
  return [
    `${splitTitles[split]}, averages over classes (macro)`,
    byEpoch,
    '',
    `${splitTitles[split]}, by class`,
    byClass,
    ...(notes.length > 0 ? [notes.join('; ')] : []),
  ].join('\n');
}
