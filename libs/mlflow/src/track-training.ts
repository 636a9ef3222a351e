import {
  type ClassificationReport,
  type EpochEvaluated,
  formatFigure,
  type LoggedEvent,
  type Scores,
  type TrainEvent,
  type TrainStepped,
} from '@nautil/contracts';
import type { Metric } from './client/metric.js';
import { mlflowKey } from './names.js';
import type { Tracker } from './tracker.js';

/**
 * Logs a step or an evaluation that a checkpoint has made durable: `train/…`, and `val/…` or `test/…` with one
 * `…/class/<name>/…` per class. Scores are fractions. Logging is idempotent, because the event has the step and the timestamp.
 *
 * The test set is evaluated once, so its metrics have the step 0 in every run: MLflow draws a metric with one common step as bars that
 * compare the runs, and one with a step for each run as a chart with scattered dots.
 */
export function trackCommitted(tracker: Pick<Tracker, 'metrics'>, event: LoggedEvent): void {
  const isTest = event.type === 'eval' && event.split === 'test';
  const at = { step: isTest ? 0 : event.step, timestampMs: event.timestampMs };
  tracker.metrics(rows(at, event.type === 'step' ? stepMetrics(event) : evaluationMetrics(event)));
}

/** Logs a live event as tags of the run. Steps and evaluations are skipped: see `trackCommitted`. */
export function trackProgress(tracker: Pick<Tracker, 'tags'>, event: TrainEvent): void {
  switch (event.type) {
    case 'start':
      tracker.tags({
        'nautil.device': event.device,
        ...(event.arithmetic === undefined ? {} : { 'nautil.arithmetic': event.arithmetic }),
        'nautil.train_examples': String(event.trainExamples),
        'nautil.validation_examples': String(event.validationExamples),
        'nautil.trainable_parameters': String(event.trainableParameters),
        'nautil.total_steps': String(event.totalSteps),
        ...(event.resumedFrom === undefined ? {} : { 'nautil.resumed_from': event.resumedFrom }),
      });
      break;
    case 'done':
      tracker.tags({
        'nautil.stop_reason': event.reason,
        ...(event.best === undefined
          ? {}
          : { 'nautil.best': `${event.best.monitor}=${formatFigure(event.best.value)} at step ${event.best.step}` }),
      });
      break;
    case 'warning':
      tracker.tags({ 'nautil.warning': event.message });
      break;
    case 'step':
    case 'eval':
      break;
  }
}

const rows = ({ step, timestampMs }: { step: number; timestampMs: number }, values: Record<string, number>): Metric[] =>
  Object.entries(values).map(([key, value]) => ({ key, value, step, timestampMs }));

const stepMetrics = (event: TrainStepped): Record<string, number> => ({
  'train/loss': event.loss,
  'train/lr': event.lr,
  ...(event.gradNorm === undefined ? {} : { 'train/grad_norm': event.gradNorm }),
  'train/examples_per_second': event.examplesPerSecond,
  'train/tokens_per_second': event.tokensPerSecond,
});

/** Further classes have no metrics of their own: each has three in every evaluation. `report.json` has all. */
const trackedClasses = 1000;

function evaluationMetrics({ split, epoch, loss, report }: EpochEvaluated): Record<string, number> {
  const values: Record<string, number> = {
    [`${split}/loss`]: loss,
    [`${split}/accuracy`]: report.accuracy,
    // Epochs are counted from 1, as in the terminal.
    ...(split === 'val' ? { epoch: epoch + 1 } : {}),
  };
  const scoreNames = ['precision', 'recall', 'f1'] as const satisfies (keyof Scores)[];
  const keys = classKeys(report);
  for (const score of scoreNames) {
    values[`${split}/${score}_macro`] = report.macro[score];
    for (const mode of ['micro', 'weighted'] as const) values[`${split}/detail/${score}_${mode}`] = report[mode][score];
    report.classes
      .slice(0, trackedClasses)
      .forEach((scores, i) => (values[`${split}/class/${keys[i]}/${score}`] = scores[score]));
  }
  return values;
}

/** Each class as a part of a metric's key: its name, or its id when it has none; both when two names would collide. */
function classKeys({ classes }: ClassificationReport): string[] {
  const names = classes.map(({ labelId, labelName }) =>
    mlflowKey((labelName === undefined || labelName === '' ? String(labelId) : labelName).replaceAll('/', '_')),
  );
  const times = new Map<string, number>();
  for (const name of names) times.set(name.toLowerCase(), (times.get(name.toLowerCase()) ?? 0) + 1);
  const isTaken = (name: string): boolean => (times.get(name.toLowerCase()) ?? 0) > 1;
  return classes.map(({ labelId }, i) => {
    const name = names[i] ?? '';
    return isTaken(name) ? `${name}_${labelId}` : name;
  });
}
