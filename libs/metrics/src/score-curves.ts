import type { EpochEvaluated } from '@nautil/contracts';
import { chartBase, drawSvg, valueAxis } from './chart.js';

/** Draws macro precision, recall and F1 and the accuracy of each evaluation by epoch, in percent, as an SVG. */
export async function drawScoreCurves(evaluations: readonly EpochEvaluated[]): Promise<string> {
  const curves = {
    'precision (macro)': ({ report }: EpochEvaluated) => report.macro.precision,
    'recall (macro)': ({ report }: EpochEvaluated) => report.macro.recall,
    'F1 (macro)': ({ report }: EpochEvaluated) => report.macro.f1,
    accuracy: ({ report }: EpochEvaluated) => report.accuracy,
  };
  const symbols = ['circle', 'rect', 'diamond', 'triangle'];
  // val_check_interval can give several evaluations in one epoch, so the position is a fraction of an epoch.
  const epochs = new Map(evaluations.map((evaluation) => [evaluation, epochsDone(evaluation, evaluations)]));
  return drawSvg(
    {
      ...chartBase('Validation scores'),
      legend: { bottom: 8, itemGap: 28, selectedMode: false },
      grid: { left: 76, right: 28, top: 48, bottom: 88 },
      xAxis: valueAxis('epoch', 30, {
        min: ({ min }: { min: number }) => Math.floor(min - 0.01),
        minInterval: 1,
        splitLine: { show: false },
      }),
      // Bounds are whole percents: a single point or a flat curve would otherwise get an axis of thousandths.
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
        data: evaluations.map((evaluation) => [epochs.get(evaluation), score(evaluation) * 100]),
        lineStyle: { width: 2.5, ...(name === 'accuracy' ? { type: 'dashed' } : {}) },
      })),
    },
    { width: 860, height: 460 },
  );
}

/** Epochs completed at an evaluation; a fraction in the middle of an epoch. */
function epochsDone(evaluation: EpochEvaluated, all: readonly EpochEvaluated[]): number {
  const inEpoch = all.filter(({ epoch }) => epoch === evaluation.epoch);
  return evaluation.epoch + (inEpoch.indexOf(evaluation) + 1) / inEpoch.length;
}
