import { chartBase, drawSvg, palette, valueAxis } from './chart.js';

/** One measured loss. */
export interface LossPoint {
  step: number;
  loss: number;
}

/** More points than this are joined before they are drawn: a picture is 800 pixels wide. */
const mostPoints = 600;

/** Training loss, faint as measured and strong as smoothed, with validation loss over it, by optimizer step: an SVG. */
export async function drawLearningCurve(o: {
  train: readonly LossPoint[];
  validation: readonly LossPoint[];
  title?: string;
}): Promise<string> {
  const train = thin(o.train.filter(isFinite));
  const validation = o.validation.filter(isFinite);
  const lines = (points: readonly LossPoint[]): number[][] => points.map(({ step, loss }) => [step, loss]);
  const smoothed = smooth(train, Math.max(1, Math.round(train.length / 25)));
  const series = [
    { ...line('training, each step', lines(train), '#9ec3dd'), lineStyle: { width: 1, color: '#9ec3dd' } },
    line('training, smoothed', lines(smoothed), palette.series[0]!),
    { ...line('validation', lines(validation), palette.series[1]!), showSymbol: true, symbolSize: 7 },
  ].filter(({ data }) => data.length > 0);
  return drawSvg(
    {
      ...chartBase(o.title ?? 'Loss'),
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

const isFinite = ({ loss }: LossPoint): boolean => Number.isFinite(loss);

const line = (name: string, data: number[][], color: string): Line => ({
  name,
  type: 'line',
  silent: true,
  data,
  showSymbol: data.length === 1,
  lineStyle: { width: 2.5, color },
  itemStyle: { color },
});

/** Means of neighbours, so that what is drawn still has the curve's level everywhere. */
function thin(points: readonly LossPoint[]): LossPoint[] {
  const each = Math.ceil(points.length / mostPoints);
  const thinned: LossPoint[] = [];
  for (let at = 0; at < points.length; at += each) {
    const joined = points.slice(at, at + each);
    thinned.push({ step: joined.at(-1)!.step, loss: meanLoss(joined) });
  }
  return thinned;
}

/**
 * A moving average over `reach` points to both sides. It narrows towards the ends, where a lopsided one would start far
 * under a falling curve, but not to single points, which are noise.
 */
function smooth(points: readonly LossPoint[], reach: number): LossPoint[] {
  const least = Math.ceil(reach / 5);
  return points.map(({ step }, i) => {
    const near = Math.max(least, Math.min(reach, i, points.length - 1 - i));
    return { step, loss: meanLoss(points.slice(Math.max(0, i - near), i + near + 1)) };
  });
}

const meanLoss = (points: readonly LossPoint[]): number =>
  points.reduce((sum, { loss }) => sum + loss, 0) / points.length;
