import { type Config, optimizerOptions } from '@nautil/config';
import type { EpochEvaluated } from '@nautil/contracts';
import { monitored } from '@nautil/metrics';
import { plateauAfter } from './monitor.js';
import { type RunLength, type Schedule, scheduleOf } from './schedule.js';
import type { PlateauState } from './training-state.js';

/** The learning rate of a run: the schedule, times the factor of ReduceLROnPlateau. */
export class LearningRate {
  readonly #optim: Config['model']['optim'];
  readonly #length: RunLength;
  readonly #schedule: Schedule;

  constructor(optim: Config['model']['optim'], length: RunLength) {
    this.#optim = optim;
    this.#length = length;
    this.#schedule = scheduleOf(optim, length);
  }

  /** The learning rate of a step; the first step is 0. */
  at(step: number, plateau: PlateauState | undefined): number {
    return this.#schedule(step) * (plateau?.factor ?? 1);
  }

  /**
   * The state of ReduceLROnPlateau after an evaluation; unchanged for other schedules. Lightning updates it at the end of an
   * epoch, so evaluations within an epoch do not count.
   */
  plateauAfter(before: PlateauState | undefined, evaluation: EpochEvaluated): PlateauState | undefined {
    const { sched } = this.#optim;
    const { scheduled, stepsPerEpoch } = this.#length;
    if (sched?.name !== 'ReduceLROnPlateau' || scheduled === undefined) return before;
    if (evaluation.step % stepsPerEpoch !== 0) return before;
    const { lr } = optimizerOptions(this.#optim);
    const value = monitored(sched.monitor ?? 'val_loss', evaluation);
    if (value === undefined) return before;
    return plateauAfter(before, value, {
      mode: sched.mode === 'max' ? 'max' : 'min',
      factor: sched.factor ?? 0.1,
      patience: sched.patience ?? 10,
      threshold: sched.threshold ?? 1e-4,
      relative: sched.threshold_mode !== 'abs',
      cooldown: sched.cooldown ?? 0,
      floor: (sched.min_lr ?? 0) / lr,
      smallestDecrease: (sched.eps ?? 1e-8) / lr,
    });
  }
}
