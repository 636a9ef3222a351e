import type { EpochEvaluated } from '@nautil/contracts';
import { chartBase, drawSvg, valueAxis } from './chart.js';

/** Macro precision, recall and F1 of the evaluations, with accuracy, by epoch and in percent: an SVG. */
export async function drawScoreCurves(
  evaluations: readonly EpochEvaluated[],
  o: { title?: string } = {},
): Promise<string> {
  const curves = {
    'precision (macro)': ({ report }: EpochEvaluated) => report.macro.precision,
    'recall (macro)': ({ report }: EpochEvaluated) => report.macro.recall,
    'F1 (macro)': ({ report }: EpochEvaluated) => report.macro.f1,
    accuracy: ({ report }: EpochEvaluated) => report.accuracy,
  };
  const symbols = ['circle', 'rect', 'diamond', 'triangle'];
  // By step and not by epoch: val_check_interval gives several evaluations in one epoch.
  const place = new Map(evaluations.map((of) => [of, epochsDone(of, evaluations)]));
  return drawSvg(
    {
      ...chartBase(o.title ?? 'Validation scores'),
      legend: { bottom: 8, itemGap: 28, selectedMode: false },
      grid: { left: 76, right: 28, top: 48, bottom: 88 },
      xAxis: valueAxis('epoch', 30, {
        min: ({ min }: { min: number }) => Math.floor(min - 0.01),
        minInterval: 1,
        splitLine: { show: false },
      }),
      // Whole percents around the curves, so that a single point or a flat curve does not get an axis of thousandths.
      yAxis: valueAxis('percent', 48, {
        min: ({ min }: { min: number }) => Math.max(0, Math.floor(min - 0.5)),
        max: ({ max }: { max: number }) => Math.min(100, Math.ceil(max + 0.5)),
      }),
      series: Object.entries(curves).map(([name, score], i) => ({
        name,
        type: 'line',
        silent: true,
        symbol: symbols[i],
        symbolSize: 8,
        data: evaluations.map((of) => [place.get(of), score(of) * 100]),
        lineStyle: { width: 2.5, ...(name === 'accuracy' ? { type: 'dashed' } : {}) },
      })),
    },
    { width: 860, height: 460 },
  );
}

/** Epochs done at an evaluation; a fraction for one in the middle of an epoch. */
function epochsDone(of: EpochEvaluated, all: readonly EpochEvaluated[]): number {
  const inEpoch = all.filter(({ epoch }) => epoch === of.epoch);
  return of.epoch + (inEpoch.indexOf(of) + 1) / inEpoch.length;
}
