const adam = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, amsgrad: false };

/** The optimizers, the keys of `model.optim` that each takes besides `name` and `sched`, and PyTorch 2.2's defaults of these. */
export const optimizers = {
  adam,
  adamw: { ...adam, weight_decay: 1e-2 },
  sgd: { lr: 1e-3, momentum: 0, dampening: 0, weight_decay: 0, nesterov: false },
  adadelta: { lr: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0 },
  adamax: { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0 },
  adagrad: { lr: 1e-2, lr_decay: 0, weight_decay: 0, initial_accumulator_value: 0, eps: 1e-10 },
  rmsprop: { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0, momentum: 0, centered: false },
} as const;

export type OptimizerName = keyof typeof optimizers;

/** Optimizers of NeMo that Nautil does not have, and the keys that only they take. */
export const unsupportedOptimizers = {
  rprop: ['etas', 'step_sizes'],
  novograd: ['grad_averaging', 'luc', 'luc_trust', 'luc_eps'],
  adafactor: [
    'clip_threshold', 'decay_rate', 'beta1', 'scale_parameter', 'relative_step', 'warmup_init', 'min_step',
  ],
} as const; // prettier-ignore

type Widened<T> = T extends number ? number : T extends boolean ? boolean : [number, number];

/** The options of an optimizer, each with a value. */
export type OptimizerOptions<N extends OptimizerName> = {
  -readonly [K in keyof (typeof optimizers)[N]]: Widened<(typeof optimizers)[N][K]>;
};

/** The options of the optimizer that `optim` names: the values in `optim`, else the optimizer's own defaults. */
export function optimizerOptions<N extends OptimizerName>(optim: { name: N } & Readonly<Record<string, unknown>>) {
  const defaults = Object.entries(optimizers[optim.name]);
  return Object.fromEntries(defaults.map(([key, value]) => [key, optim[key] ?? value])) as OptimizerOptions<N>;
}
