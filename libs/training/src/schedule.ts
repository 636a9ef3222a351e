import { type Config, optimizerOptions, type ScheduleName } from '@nautil/config';

/** The learning rate of a step; the first step is 0. A pure function, so that a resumed run needs no state. */
export type Schedule = (step: number) => number;

interface Terms {
  /** Peak learning rate. */
  lr: number;
  minLr: number;
  warmup: number;
  max: number;

  /** The first step after the peak is held, counted from 0; 0 without a hold. */
  hold: number;

  /** CosineAnnealing, T5InverseSquareRootAnnealing: steps at a constant rate. */
  constant: number;
  stepsPerEpoch: number;
  mode: string | undefined;
  readonly number: (key: string, fallback: number) => number;
  readonly flag: (key: string) => boolean;
}

type Anneal = (step: number, terms: Terms) => number;

/** The linear rise during warmup, which does not start at zero (NeMo's WarmupPolicy). */
const warmingUp = (step: number, { lr, warmup }: Terms): number => (lr * (step + 1)) / (warmup + 1);

/** NeMo's WarmupPolicy: a rise for `warmup` steps, then `anneal`, then `min_lr` after the last step. */
const afterWarmup =
  (anneal: Anneal): Anneal =>
  (step, terms) => {
    if (terms.warmup > 0 && step <= terms.warmup) return warmingUp(step, terms);
    if (step > terms.max) return terms.minLr;
    return anneal(step, terms);
  };

/** NeMo's WarmupHoldPolicy: the rate stays at its peak until step `hold`. */
const afterHold =
  (anneal: Anneal): Anneal =>
  (step, terms) => {
    if (terms.warmup > 0 && step <= terms.warmup) return warmingUp(step, terms);
    if (step >= terms.warmup && step < terms.hold) return terms.lr;
    if (step > terms.max) return terms.minLr;
    return anneal(step, terms);
  };

function polynomial(step: number, decaySteps: number, { lr, minLr, number, flag }: Terms): number {
  let steps = decaySteps;
  if (flag('cycle')) steps *= step === 0 ? 1 : Math.ceil(step / decaySteps);
  const done = Math.min(step, steps) / steps;
  return (lr - minLr) * (1 - done) ** number('power', 1) + minLr;
}

/** A cosine that ends with `constant_steps` at its minimum (NeMo's WarmupAnnealHoldPolicy). */
function cosine(step: number, terms: Terms): number {
  const { lr, minLr, warmup, max, constant } = terms;
  if (constant === 0) {
    return afterWarmup((at) => (lr - minLr) * 0.5 * (1 + Math.cos((Math.PI * (at - warmup)) / (max - warmup))) + minLr)(
      step,
      terms,
    );
  }
  const decay = max - constant - warmup;
  if (warmup > 0 && step <= warmup) return (lr * step) / warmup;
  if (step > warmup + decay) return minLr;
  return minLr + 0.5 * (Math.cos((Math.PI * (step - warmup)) / decay) + 1) * (lr - minLr);
}

function cyclic(step: number, { lr, number, mode }: Terms): number {
  const base = number('base_lr', lr);
  const peak = number('max_lr', lr);
  const up = number('step_size_up', 2000);
  const total = up + number('step_size_down', up);
  const at = step % total;
  const scale = at < up ? at / up : (total - at) / (total - up);
  const amplitude =
    mode === 'triangular2' ? 0.5 ** Math.floor(step / total) : mode === 'exp_range' ? number('gamma', 1) ** step : 1;
  return base + (peak - base) * scale * amplitude;
}

// Formulas: NeMo 1.23, core/optim/lr_scheduler.py; the last three: torch.optim.lr_scheduler.
const annealings: Readonly<Record<Exclude<ScheduleName, 'ReduceLROnPlateau'>, Anneal>> = {
  WarmupAnnealing: afterWarmup(
    (step, { lr, minLr, warmup, max }) => minLr + (1 - (step - warmup) / (max - warmup)) * (lr - minLr),
  ),
  WarmupPolicy: afterWarmup((_, { lr }) => lr),
  WarmupHoldPolicy: afterHold((_, { lr }) => lr),
  CosineAnnealing: cosine,
  SquareAnnealing: afterWarmup((step, { lr, minLr, warmup, max }) =>
    Math.max(lr * ((max - step) / (max - warmup)) ** 2, minLr),
  ),
  SquareRootAnnealing: afterWarmup((step, { lr, minLr, max }) => Math.max(lr * Math.sqrt((max - step) / max), minLr)),
  InverseSquareRootAnnealing: afterWarmup((step, { lr, warmup }) => lr / Math.sqrt((step + 1) / (warmup + 1))),
  PolynomialDecayAnnealing: afterWarmup((step, terms) =>
    polynomial(step - terms.warmup, terms.max - terms.warmup, terms),
  ),
  PolynomialHoldDecayAnnealing: afterHold((step, terms) =>
    polynomial(step - terms.hold, terms.max - Math.max(terms.warmup, terms.hold), terms),
  ),
  // NeMo 1.8 goes to min_lr after the last step, NeMo 1.23 does not; only a `sched.max_steps` below the training's shows it.
  NoamAnnealing: (step, { lr, minLr, warmup, max, number }) => {
    if (step > max) return minLr;
    const at = Math.max(1, step);
    const rise = warmup > 0 ? Math.min(at ** -0.5, at * warmup ** -1.5) : at ** -0.5;
    const value = lr * number('d_model', 0) ** -0.5 * rise;
    return at > warmup ? Math.max(value, minLr) : value;
  },
  NoamHoldAnnealing: afterHold((step, { lr, minLr, warmup, hold, number }) => {
    const rate = number('decay_rate', 0.5);
    const since = Math.max(1, (step - Math.max(0, hold - warmup)) ** rate);
    return Math.max((lr * Math.max(1, warmup ** rate)) / since, minLr);
  }),
  T5InverseSquareRootAnnealing: (step, { minLr, max, constant }) => {
    if (step <= constant) return constant ** -0.5;
    return step > max ? minLr : step ** -0.5;
  },
  StepLR: (step, { lr, number }) => lr * number('gamma', 0.1) ** Math.floor(step / number('step_size', 1)),
  // NeMo updates it once per epoch (EPOCH_SCHEDULERS).
  ExponentialLR: (step, { lr, number, stepsPerEpoch }) => lr * number('gamma', 1) ** Math.floor(step / stepsPerEpoch),
  CyclicLR: cyclic,
};

// Only NeMo's SquareAnnealing has a minimum by default.
const defaultMinLr = (name: string): number => (name === 'SquareAnnealing' ? 1e-5 : 0);

/**
 * The learning-rate schedule of a run.
 *
 * @param optim - `model.optim`; without a `sched` section the rate is constant.
 * @param length - at its `scheduled` the annealings reach their minimum
 */
export function scheduleOf(
  optim: Config['model']['optim'],
  { scheduled: maxSteps, stepsPerEpoch }: Pick<RunLength, 'scheduled' | 'stepsPerEpoch'>,
): Schedule {
  const { sched } = optim;
  const lr = optimizerOptions(optim).lr;
  // ReduceLROnPlateau depends on evaluations, not on the step: see PlateauSchedule.
  if (sched === null || maxSteps === undefined || sched.name === 'ReduceLROnPlateau') return () => lr;
  const anneal = annealings[sched.name];
  const number = (key: string, fallback: number): number => {
    const value = sched[key as keyof typeof sched];
    return typeof value === 'number' ? value : fallback;
  };
  const warmup = sched.warmup_steps ?? Math.trunc((sched.warmup_ratio ?? 0) * maxSteps);
  const held = sched.hold_steps ?? (sched.hold_ratio == null ? undefined : Math.trunc(sched.hold_ratio * maxSteps));
  const minLr = sched.min_lr ?? defaultMinLr(sched.name);
  const terms: Terms = {
    lr,
    minLr,
    warmup,
    max: maxSteps,
    // NOTE: NeMo counts from step 0 when no hold is given, and from the end of the warm-up when it is 0 steps long.
    hold: held === undefined ? 0 : warmup + held,
    constant: sched.constant_steps ?? Math.trunc((sched.constant_ratio ?? 0) * maxSteps),
    stepsPerEpoch,
    mode: sched.mode,
    number,
    flag: (key) => sched[key as keyof typeof sched] === true,
  };
  return (step) => anneal(step, terms);
}

/** The length of a run in optimizer steps. */
export interface RunLength {
  stepsPerEpoch: number;

  /** The smaller of `max_steps` and the steps in `max_epochs`. */
  total: number;

  /**
   * The length of the schedule: `trainer.max_steps` if it is set, even when the epochs end earlier; else `sched.max_steps`; else
   * the steps in `max_epochs`. Undefined for `sched.max_steps: -1`, for which NeMo makes no schedule.
   */
  scheduled: number | undefined;
}

/**
 * The length of a run as NeMo counts it (compute_max_steps). The last step of an epoch may have fewer batches.
 *
 * @param o.batchesPerEpoch - after `limit_train_batches`.
 */
export function runLengthOf(o: {
  batchesPerEpoch: number;
  trainer: Pick<Config['trainer'], 'accumulate_grad_batches' | 'max_epochs' | 'max_steps'>;
  sched: Pick<NonNullable<Config['model']['optim']['sched']>, 'max_steps'> | null;
}): RunLength {
  const { accumulate_grad_batches, max_epochs, max_steps } = o.trainer;
  const stepsPerEpoch = Math.ceil(o.batchesPerEpoch / accumulate_grad_batches);
  const byEpochs = max_epochs === null || max_epochs < 0 ? Infinity : stepsPerEpoch * max_epochs;
  const limit = max_steps === null || max_steps < 0 ? undefined : max_steps;
  const ofSchedule = limit ?? o.sched?.max_steps ?? byEpochs;
  return {
    stepsPerEpoch,
    total: Math.min(limit ?? Infinity, byEpochs),
    scheduled: ofSchedule < 0 ? undefined : ofSchedule,
  };
}
