import {
  type ClassificationReport,
  type ClassScores,
  counted,
  type EpochEvaluated,
  type Scores,
} from '@nautil/contracts';
import { type Column, cutToWidth, layOutTable } from './text-table.js';

type Evaluation = Omit<EpochEvaluated, 'timestampMs'> & { bestBy?: string | undefined };

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string, o: Pick<Column, 'short' | 'optional'> = {}): Column => ({ title, align: 'right', ...o });

const shortNames: Record<string, string> = { accuracy: 'acc', precision: 'prec', recall: 'rec' };

/** A column of scores in percent. */
const score = (name: string, o: Pick<Column, 'optional'> = {}): Column =>
  right(`${name} %`, { short: `${shortNames[name] ?? name} %`, ...o });

const longestName = 40;

/** Tables of more classes end with the number of the others. */
const listedClasses = 100;

const unlisted = (report: ClassificationReport): string[] => {
  const more = report.classes.length - listedClasses;
  return more > 0 ? [`and ${counted(more, 'more class', 'more classes')}`] : [];
};

/** The label of a class in tables and charts: its name, or its id when it has no name. */
export const className = ({ labelName, labelId }: Pick<ClassScores, 'labelName' | 'labelId'>): string =>
  labelName ?? String(labelId);

const percent = (fraction: number): string => (fraction * 100).toFixed(2);
const percents = ({ precision, recall, f1 }: Scores): string[] => [precision, recall, f1].map(percent);
const nameCell = (scores: ClassScores): string => cutToWidth(className(scores), longestName);

/**
 * Formats a report as a table in percent: one row for each of the first hundred classes, then the averages.
 *
 * @param o.width - terminal cells that are available; default: any number
 */
export function formatReport(report: ClassificationReport, o: { width?: number } = {}): string {
  return layOutTable(
    [left('class'), score('precision'), score('recall'), score('F1'), right('examples')],
    [
      ...report.classes
        .slice(0, listedClasses)
        .map((scores) => [nameCell(scores), ...percents(scores), String(scores.support)]),
      unlisted(report),
      ...(['micro', 'macro', 'weighted'] as const).map((mode) => [
        `${mode} average`,
        ...percents(report[mode]),
        String(report.support),
      ]),
    ],
    o,
  );
}

/**
 * Formats the evaluations of a run as tables in percent: loss and averages by epoch, then precision, recall and F1 by class
 * and epoch, by step. `*` marks the best validation by the run's monitor (`bestBy`). A long run shows its best and its most recent
 * epochs.
 *
 * @param o.maxEpochs - number of evaluations shown for each split; default 12
 * @param o.width - terminal cells that are available; default: any number
 * @param o.byClass - whether the classes have a table; default true
 */
export function formatHistory(
  evaluations: readonly Evaluation[],
  o: { maxEpochs?: number; width?: number; byClass?: boolean } = {},
): string {
  const splits = [...new Set(evaluations.map(({ split }) => split))];
  return splits.map((split) => formatSplit(split, evaluations, o)).join('\n\n');
}

const splitTitles = { val: 'validation', test: 'test' } as const;

function formatSplit(
  split: EpochEvaluated['split'],
  all: readonly Evaluation[],
  { maxEpochs = 12, width = Infinity, byClass = true }: { maxEpochs?: number; width?: number; byClass?: boolean },
): string {
  const evaluations = all.filter((evaluation) => evaluation.split === split).sort((a, b) => a.step - b.step);
  const best = evaluations.find(({ bestBy }) => bestBy !== undefined);
  const last = evaluations.slice(-maxEpochs);
  const shown = best === undefined || last.includes(best) ? last : [best, ...last.slice(1)];
  // The step column distinguishes several evaluations of one epoch (val_check_interval).
  const epochCell = (evaluation: Evaluation): string =>
    `${evaluation.epoch + 1}${evaluation === best && evaluations.length > 1 ? '*' : ' '}`;

  const byEpoch = layOutTable(
    [
      right('epoch '),
      right('step'),
      right(`${split} loss`),
      ...['accuracy', 'precision', 'recall', 'F1'].map((name) => score(name)),
      score('micro F1', { optional: 1 }),
      score('weighted F1', { optional: 2 }),
    ],
    shown.map((evaluation) => [
      epochCell(evaluation),
      String(evaluation.step),
      evaluation.loss.toFixed(4),
      percent(evaluation.report.accuracy),
      ...percents(evaluation.report.macro),
      percent(evaluation.report.micro.f1),
      percent(evaluation.report.weighted.f1),
    ]),
    { width },
  );
  const classTable = layOutTable(
    [
      left('class'),
      right('epoch '),
      right('step'),
      ...['precision', 'recall', 'F1'].map((name) => score(name)),
      right('examples'),
    ],
    (shown[0]?.report.classes ?? []).slice(0, listedClasses).flatMap((_, i) =>
      shown.map((evaluation, row) => {
        const scores = evaluation.report.classes[i]!;
        return [
          row === 0 ? nameCell(scores) : '',
          epochCell(evaluation),
          String(evaluation.step),
          ...percents(scores),
          String(scores.support),
        ];
      }),
    ),
    { width },
  );
  const hidden = evaluations.length - shown.length;
  const notes = [
    ...(best && evaluations.length > 1 ? [`* best by ${best.bestBy}`] : []),
    ...(hidden > 0 ? [`${hidden} earlier evaluations are not shown`] : []),
  ];
  return [
    `${splitTitles[split]}, averages over classes (macro)`,
    byEpoch,
    ...(byClass
      ? ['', `${splitTitles[split]}, by class`, classTable, ...(shown[0] ? unlisted(shown[0].report) : [])]
      : []),
    ...(notes.length > 0 ? [notes.join('; ')] : []),
  ].join('\n');
}
