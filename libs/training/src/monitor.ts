import { improves } from '@nautil/metrics';
import type { PlateauState } from './training-state.js';

/**
 * The state of Lightning's EarlyStopping after an evaluation. The run ends when `waited` reaches the patience. A value that is
 * NaN or infinite is worse than every number.
 */
export function patienceAfter(
  before: { waited: number; best: number } | undefined,
  value: number,
  o: { mode: 'min' | 'max'; min_delta: number },
): { waited: number; best: number } {
  // The state is stored as JSON, which has no infinity.
  const worst = o.mode === 'min' ? Number.MAX_VALUE : -Number.MAX_VALUE;
  if (!Number.isFinite(value)) return { waited: (before?.waited ?? 0) + 1, best: before?.best ?? worst };
  if (before === undefined || improves(value, before.best, o.mode, o.min_delta)) return { waited: 0, best: value };
  return { waited: before.waited + 1, best: before.best };
}

/** The state of torch's ReduceLROnPlateau after an evaluation. `factor` multiplies the learning rate of later steps. */
export function plateauAfter(
  before: PlateauState | undefined,
  value: number,
  o: {
    mode: 'min' | 'max';
    factor: number;
    patience: number;
    threshold: number;
    relative: boolean;
    cooldown: number;
    floor: number;
    /** As a fraction of the initial rate, like `floor`. */
    smallestDecrease: number;
  },
): PlateauState {
  const state = before ?? { factor: 1, best: null, bad: 0, cooldown: 0 };
  const sign = o.mode === 'min' ? 1 : -1;
  const bar =
    state.best === null
      ? sign * Infinity
      : o.relative
        ? state.best * (1 - sign * o.threshold)
        : state.best - sign * o.threshold;
  const better = Number.isFinite(value) && sign * value < sign * bar;
  const best = better ? value : state.best;
  let bad = better ? 0 : state.bad + 1;
  let { factor, cooldown } = state;
  if (cooldown > 0) {
    cooldown -= 1;
    bad = 0;
  }
  if (bad > o.patience) {
    const lower = Math.max(factor * o.factor, o.floor);
    if (factor - lower > o.smallestDecrease) factor = lower;
    cooldown = o.cooldown;
    bad = 0;
  }
  return { factor, best, bad, cooldown };
}
