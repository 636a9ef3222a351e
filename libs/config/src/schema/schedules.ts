interface ScheduleKeys {
  /** The schedule's own keys in `model.optim.sched`. */
  takes: readonly string[];

  /** Keys without which the schedule cannot be computed. */
  needs?: readonly string[];

  /** The values of `mode`. */
  modes?: readonly string[];
}

const warmup = ['warmup_steps', 'warmup_ratio', 'min_lr'] as const;
const hold = [...warmup, 'hold_steps', 'hold_ratio'] as const;

/** The learning-rate schedules of NeMo 1.23, and their keys. */
export const schedules = {
  WarmupPolicy: { takes: warmup },
  WarmupHoldPolicy: { takes: hold },
  WarmupAnnealing: { takes: warmup },
  SquareAnnealing: { takes: warmup },
  SquareRootAnnealing: { takes: warmup },
  CosineAnnealing: { takes: [...warmup, 'constant_steps', 'constant_ratio'] },
  NoamAnnealing: { takes: [...warmup, 'd_model'], needs: ['d_model'] },
  NoamHoldAnnealing: { takes: [...hold, 'decay_rate'] },
  InverseSquareRootAnnealing: { takes: warmup },
  T5InverseSquareRootAnnealing: { takes: ['constant_steps', 'min_lr'], needs: ['constant_steps'] },
  PolynomialDecayAnnealing: { takes: [...warmup, 'power', 'cycle'] },
  PolynomialHoldDecayAnnealing: { takes: [...hold, 'power', 'cycle'] },
  StepLR: { takes: ['step_size', 'gamma'], needs: ['step_size'] },
  ExponentialLR: { takes: ['gamma'], needs: ['gamma'] },
  ReduceLROnPlateau: {
    takes: ['mode', 'factor', 'patience', 'threshold', 'threshold_mode', 'cooldown', 'min_lr', 'eps', 'monitor'],
    modes: ['min', 'max'],
  },
  CyclicLR: {
    takes: ['base_lr', 'max_lr', 'step_size_up', 'step_size_down', 'mode', 'gamma', 'cycle_momentum'],
    needs: ['base_lr', 'max_lr', 'cycle_momentum'],
    modes: ['triangular', 'triangular2', 'exp_range'],
  },
} as const satisfies Readonly<Record<string, ScheduleKeys>>;

export type ScheduleName = keyof typeof schedules;

/** The keys of a schedule; undefined for an unknown name. */
export const scheduleKeys = (name: string): ScheduleKeys | undefined =>
  Object.hasOwn(schedules, name) ? schedules[name as ScheduleName] : undefined;
