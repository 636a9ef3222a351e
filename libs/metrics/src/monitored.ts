import type { EpochEvaluated } from '@nautil/contracts';

/**
 * The value of a monitor as NeMo logs it: `val_loss`, or micro-averaged `val_precision`, `val_recall` and `val_f1` in
 * percent. NeMo has no macro averages: `val_f1_macro` is Nautil's. Undefined for an unknown name.
 */
export function monitored(monitor: string, evaluated: EpochEvaluated): number | undefined {
  const { loss, report } = evaluated;
  switch (monitor.replace(/^val[_/]/, '')) {
    case 'loss':
      return loss;
    case 'precision':
      return 100 * report.micro.precision;
    case 'recall':
      return 100 * report.micro.recall;
    case 'f1':
    case 'f1_micro':
      return 100 * report.micro.f1;
    case 'f1_macro':
      return 100 * report.macro.f1;
    case 'f1_weighted':
      return 100 * report.weighted.f1;
    case 'accuracy':
      return 100 * report.accuracy;
    default:
      return undefined;
  }
}

/** Whether `value` is better than `best` by more than `minDelta`. */
export const improves = (value: number, best: number, mode: 'min' | 'max', minDelta = 0): boolean =>
  mode === 'min' ? value < best - minDelta : value > best + minDelta;
