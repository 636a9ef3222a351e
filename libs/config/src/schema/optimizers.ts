import type { JsonValue } from '@nautil/contracts';

/** An optimizer of NeMo's list: the keys it takes beside name and sched, with the defaults of its code. */
export type Optimizer = Readonly<Record<string, JsonValue>>;

const adam = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, amsgrad: false };

/** Defaults are PyTorch 2.2's; for novograd and adafactor NeMo 1.23's. */
export const optimizers = {
  adam,
  adamw: { ...adam, weight_decay: 1e-2 },
  sgd: { lr: 1e-3, momentum: 0, dampening: 0, weight_decay: 0, nesterov: false },
  adadelta: { lr: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0 },
  adamax: { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0 },
  adagrad: { lr: 1e-2, lr_decay: 0, weight_decay: 0, initial_accumulator_value: 0, eps: 1e-10 },
  rmsprop: { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0, momentum: 0, centered: false },
  rprop: { lr: 1e-2, etas: [0.5, 1.2], step_sizes: [1e-6, 50] },
  novograd: {
    lr: 1e-3, betas: [0.95, 0.98], eps: 1e-8, weight_decay: 0, grad_averaging: false, amsgrad: false,
    luc: false, luc_trust: 1e-3, luc_eps: 1e-8,
  },
  adafactor: {
    lr: null, eps: [1e-30, 1e-3], clip_threshold: 1.0, decay_rate: -0.8, beta1: null, weight_decay: 0,
    scale_parameter: true, relative_step: true, warmup_init: false, min_step: 1e-2,
  },
} as const satisfies Readonly<Record<string, Optimizer>>; // prettier-ignore

export type OptimizerName = keyof typeof optimizers;

type Widened<T> = T extends number
  ? number
  : T extends boolean
    ? boolean
    : T extends readonly unknown[]
      ? [number, number]
      : T;

/** The options of an optimizer, each with a value. */
export type OptimizerOptions<N extends OptimizerName> = {
  -readonly [K in keyof (typeof optimizers)[N]]: Widened<(typeof optimizers)[N][K]>;
};

/** The options of the optimizer that `optim` names: what is written there, else the optimizer's own defaults. */
export function optimizerOptions<N extends OptimizerName>(optim: { name: N } & Readonly<Record<string, unknown>>) {
  const defaults: Optimizer = optimizers[optim.name];
  const entries = Object.entries(defaults).map(([key, value]) => [key, optim[key] ?? value] as const);
  return Object.fromEntries(entries) as OptimizerOptions<N>;
}

const warmup = ['warmup_steps', 'warmup_ratio', 'min_lr', 'max_steps'];
const hold = [...warmup, 'hold_steps', 'hold_ratio'];
const constant = [...warmup, 'constant_steps', 'constant_ratio'];

/** The schedules of NeMo 1.23: the keys that each takes beside name, last_epoch, monitor and reduce_on_plateau. */
export const schedules: Readonly<Record<string, readonly string[]>> = {
  WarmupPolicy: warmup,
  WarmupHoldPolicy: hold,
  WarmupAnnealing: warmup,
  SquareAnnealing: warmup,
  SquareRootAnnealing: warmup,
  CosineAnnealing: constant,
  NoamAnnealing: [...warmup, 'd_model'],
  NoamHoldAnnealing: [...hold, 'decay_rate'],
  InverseSquareRootAnnealing: warmup,
  T5InverseSquareRootAnnealing: warmup,
  PolynomialDecayAnnealing: [...warmup, 'power', 'cycle'],
  PolynomialHoldDecayAnnealing: [...hold, 'power', 'cycle'],
  StepLR: ['step_size', 'gamma'],
  ExponentialLR: ['gamma'],
  ReduceLROnPlateau: ['mode', 'factor', 'patience', 'threshold', 'threshold_mode', 'cooldown', 'min_lr', 'eps'],
  CyclicLR: [
    'base_lr', 'max_lr', 'step_size_up', 'step_size_down', 'mode', 'gamma', 'scale_mode', 'cycle_momentum',
    'base_momentum', 'max_momentum',
  ],
}; // prettier-ignore

/** Keys without which a schedule can't be made. */
export const scheduleNeeds: Readonly<Record<string, readonly string[]>> = {
  NoamAnnealing: ['d_model'],
  StepLR: ['step_size'],
  ExponentialLR: ['gamma'],
  CyclicLR: ['base_lr', 'max_lr'],
};
