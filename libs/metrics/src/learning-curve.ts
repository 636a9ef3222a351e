import { chartBase, drawSvg, palette, valueAxis } from './chart.js';

/** One measured loss. */
export interface LossPoint {
  step: number;
  loss: number;
}

/** A picture is 800 pixels wide: longer series are averaged down to this many points. */
const maxPoints = 600;

/** Draws the training loss (faint: measured, strong: smoothed) and the validation loss by optimizer step, as an SVG. */
export async function drawLearningCurve(o: {
  train: readonly LossPoint[];
  validation: readonly LossPoint[];
}): Promise<string> {
  const train = averageDown(o.train.filter(hasFiniteLoss));
  const validation = o.validation.filter(hasFiniteLoss);
  const lines = (points: readonly LossPoint[]): number[][] => points.map(({ step, loss }) => [step, loss]);
  const smoothed = smooth(train, Math.max(1, Math.round(train.length / 25)));
  const series = [
    { ...line('training, each step', lines(train), '#9ec3dd'), lineStyle: { width: 1, color: '#9ec3dd' } },
    line('training, smoothed', lines(smoothed), palette.series[0]!),
    { ...line('validation', lines(validation), palette.series[1]!), showSymbol: true, symbolSize: 7 },
  ].filter(({ data }) => data.length > 0);
  return drawSvg(
    {
      ...chartBase('Loss'),
      legend: { bottom: 8, itemGap: 28, selectedMode: false },
      grid: { left: 76, right: 28, top: 48, bottom: 88 },
      xAxis: valueAxis('optimizer step', 30, { max: 'dataMax' }),
      yAxis: valueAxis('loss', 52, { scale: true }),
      series,
    },
    { width: 860, height: 460 },
  );
}

type Line = Record<string, unknown> & { data: number[][] };

const hasFiniteLoss = ({ loss }: LossPoint): boolean => Number.isFinite(loss);

const line = (name: string, data: number[][], color: string): Line => ({
  name,
  type: 'line',
  silent: true,
  data,
  showSymbol: data.length === 1,
  lineStyle: { width: 2.5, color },
  itemStyle: { color },
});

/** Averages neighbouring points, which preserves the level of the curve everywhere. */
function averageDown(points: readonly LossPoint[]): LossPoint[] {
  const pointsPerMean = Math.ceil(points.length / maxPoints);
  const means: LossPoint[] = [];
  for (let from = 0; from < points.length; from += pointsPerMean) {
    const neighbours = points.slice(from, from + pointsPerMean);
    means.push({ step: neighbours.at(-1)!.step, loss: meanLoss(neighbours) });
  }
  return means;
}

/**
 * A moving average over `reach` points on either side. The window narrows towards both ends, where an asymmetric window
 * would start far below a falling curve, but keeps a minimum width, because single points are noise.
 */
function smooth(points: readonly LossPoint[], reach: number): LossPoint[] {
  const minReach = Math.ceil(reach / 5);
  return points.map(({ step }, i) => {
    const localReach = Math.max(minReach, Math.min(reach, i, points.length - 1 - i));
    return { step, loss: meanLoss(points.slice(Math.max(0, i - localReach), i + localReach + 1)) };
  });
}

const meanLoss = (points: readonly LossPoint[]): number =>
  points.reduce((sum, { loss }) => sum + loss, 0) / points.length;
