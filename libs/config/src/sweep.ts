import { ConfigError } from './config-error.js';
import { isSweep, type OverrideValue, parseOverride, type SweepSpec } from './parse-override.js';
import { printOverride } from './print-override.js';

/** One key that a sweep varies. */
type SweepAxis = ChoiceAxis | IntervalAxis;

interface ChoiceAxis {
  kind: 'choice';
  key: string;

  /** One override for each value, in the order in which they were written. */
  overrides: string[];
}

/** A continuous range [start, end), from which values are sampled. */
interface IntervalAxis {
  kind: 'interval';
  key: string;
  start: number;
  end: number;

  /** True to sample uniformly on a logarithmic scale. */
  log: boolean;

  /** The override that sets a sampled value. */
  overrideFor(value: number): string;
}

export interface Sweep {
  axes: SweepAxis[];

  /** Overrides that every trial shares. */
  fixed: string[];
}

/**
 * Parses the overrides of a sweep (`-m`). `a,b`, `choice(a,b)`, `range(1,10,2)`, `interval(0,1)` and
 * `tag(log,interval(1e-5,1e-3))` become axes; all other overrides are fixed.
 *
 * @throws ConfigError for an invalid override or an empty range
 *
 * @example
 * gridOf(parseSweep(['model.optim.lr=1e-5,2e-5', 'trainer.max_epochs=1'])) // two lists of overrides
 */
export function parseSweep(overrides: readonly string[]): Sweep {
  const sweep: Sweep = { axes: [], fixed: [] };
  for (const [index, text] of overrides.entries()) {
    const override = parseOverride(text, index + 1);
    const { value } = override;
    if (!isSweep(value)) {
      sweep.fixed.push(text);
      continue;
    }
    const withValue = (option: OverrideValue): string => printOverride({ ...override, value: option });
    if (value.kind === 'interval') {
      const overrideFor = (sampled: number): string => withValue(number(sampled, true));
      sweep.axes.push({
        kind: 'interval',
        key: override.key,
        start: value.start,
        end: value.end,
        log: value.log,
        overrideFor,
      });
    } else {
      const options =
        value.kind === 'choice'
          ? value.options
          : rangeValues(value, override.key).map((sampled) => number(sampled, value.isFloat));
      if (options.length === 0) {
        throw new ConfigError([
          {
            origin: { kind: 'override', number: index + 1, text },
            key: override.key,
            message: `${text} has no values`,
            hint: ['with a positive step, start must be less than stop'],
          },
        ]);
      }
      sweep.axes.push({ kind: 'choice', key: override.key, overrides: options.map(withValue) });
    }
  }
  return sweep;
}

/**
 * Every combination, with the last axis varying fastest, as in Hydra's basic sweeper.
 *
 * @throws ConfigError for an interval, which has no finite set of values
 */
export function gridOf(sweep: Sweep): string[][] {
  let grid: string[][] = [[...sweep.fixed]];
  for (const axis of sweep.axes) {
    if (axis.kind === 'interval') {
      throw new ConfigError([
        {
          key: axis.key,
          message: `${axis.key} is an interval, which has no grid`,
          hint: ['write values (a,b) or range(), or set a number of random trials'],
        },
      ]);
    }
    grid = grid.flatMap((chosen) => axis.overrides.map((override) => [...chosen, override]));
  }
  return grid;
}

/** Samples `count` random combinations. The same `seed` gives the same ones, and a larger `count` only appends to them. */
export function sampleOf(sweep: Sweep, count: number, seed: number): string[][] {
  const draw = uniform(seed);
  return Array.from({ length: count }, () => [
    ...sweep.fixed,
    ...sweep.axes.map((axis) => {
      const u = draw();
      if (axis.kind === 'choice') return axis.overrides[Math.floor(u * axis.overrides.length)] ?? '';
      const { start, end } = axis;
      return axis.overrideFor(axis.log ? start * (end / start) ** u : start + u * (end - start));
    }),
  ]);
}

/** A range states the number of its values in a few characters. */
const mostValues = 10_000;

/** The numbers of a range, without rounding errors of binary fractions: 0.3, not 0.30000000000000004. */
export function rangeValues({ start, stop, step }: Extract<SweepSpec, { kind: 'range' }>, key: string): number[] {
  // The negated comparison rejects NaN, too.
  if (!(Math.abs(stop - start) / Math.abs(step) <= mostValues)) {
    throw new ConfigError([
      { key, message: `${key}: a range has at most ${mostValues} values`, hint: ['write a larger step'] },
    ]);
  }
  const decimals = Math.max(decimalsOf(start), decimalsOf(step));
  const values: number[] = [];
  for (let index = 0; ; index++) {
    const value = Number((start + index * step).toFixed(Math.min(decimals, 100)));
    if (step > 0 ? value >= stop : value <= stop) return values;
    values.push(value);
  }
}

function decimalsOf(value: number): number {
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  return Math.max(0, (mantissa.split('.')[1]?.length ?? 0) - Number(exponent));
}

function number(value: number, isFloat: boolean): OverrideValue {
  return { kind: 'scalar', value, isFloat, quoted: false };
}

// mulberry32. Its 32 bits of state suffice for a few hundred trials.
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
