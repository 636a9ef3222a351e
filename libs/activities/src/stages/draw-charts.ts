import type { ClassificationReport, EpochEvaluated, TrainStepped } from '@nautil/contracts';
import { drawConfusionMatrix, drawLearningCurve, drawScoreCurves } from '@nautil/metrics';

/** The charts of a run, as SVG by file name without extension. A chart without data is left out. */
export async function drawCharts(
  events: readonly (TrainStepped | EpochEvaluated)[],
  report: ClassificationReport | undefined,
): Promise<Record<string, string>> {
  const train = events.filter((event) => event.type === 'step');
  const validation = events.filter((event) => event.type === 'eval');
  return {
    ...(train.length > 0 ? { 'learning-curve': await drawLearningCurve({ train, validation }) } : {}),
    ...(validation.length > 0 ? { scores: await drawScoreCurves(validation) } : {}),
    ...(report && report.confusion.length > 0 ? { 'confusion-matrix': await drawConfusionMatrix(report) } : {}),
  };
}
