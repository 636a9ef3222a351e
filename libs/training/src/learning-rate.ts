import { type Config, optimizerOptions } from '@nautil/config';
import type { EpochEvaluated } from '@nautil/contracts';
import { monitored } from '@nautil/metrics';
import { plateauAfter } from './monitor.js';
import { type Schedule, scheduleOf } from './schedule.js';
import type { PlateauState } from './training-state.js';

/** The learning rate of a run: the schedule, times the factor of ReduceLROnPlateau. */
export class LearningRate {
  readonly #optim: Config['model']['optim'];
  readonly #schedule: Schedule;

  /** @param maxSteps - length of the schedule in optimizer steps */
  constructor(optim: Config['model']['optim'], maxSteps: number) {
    this.#optim = optim;
    this.#schedule = scheduleOf(optim, maxSteps);
  }

  /** The learning rate of a step; the first step is 0. */
  at(step: number, plateau: PlateauState | undefined): number {
    return this.#schedule(step) * (plateau?.factor ?? 1);
  }

  /** The state of ReduceLROnPlateau after an evaluation; unchanged for other schedules. */
  plateauAfter(before: PlateauState | undefined, evaluation: EpochEvaluated): PlateauState | undefined {
    const { sched } = this.#optim;
    if (sched?.name !== 'ReduceLROnPlateau') return before;
    const value = monitored(sched.monitor ?? 'val_loss', evaluation);
    if (value === undefined) return before;
    return plateauAfter(before, value, {
      mode: sched.mode === 'max' ? 'max' : 'min',
      factor: sched.factor ?? 0.1,
      patience: sched.patience ?? 10,
      threshold: sched.threshold ?? 1e-4,
      relative: sched.threshold_mode !== 'abs',
      cooldown: sched.cooldown ?? 0,
      floor: (sched.min_lr ?? 0) / optimizerOptions(this.#optim).lr,
    });
  }
}
