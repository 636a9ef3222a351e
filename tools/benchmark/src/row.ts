import { type Static, Type } from '@sinclair/typebox';
import { smallest } from '@nautil/contracts';
import type { RowSpec, Target } from './experiment.js';
import type { Measured } from './measure.js';

const targetSchema = Type.Object(
  {
    ratioAtLeast: Type.Optional(Type.Number()),
    ratioAtMost: Type.Optional(Type.Number()),
    oursAtMost: Type.Optional(Type.Number()),
    withinNoise: Type.Optional(Type.Literal(true)),
  },
  { additionalProperties: false },
);

/** A row of docs/benchmarks.json. */
export const rowSchema = Type.Object(
  {
    /** The name of the experiment, for `--only`. */
    experiment: Type.String(),
    name: Type.String(),

    /** The value of each run, in order; empty when the side has none. */
    ours: Type.Array(Type.Number()),
    peer: Type.Array(Type.Number()),
    unit: Type.String(),
    ratioOf: Type.Union([Type.Literal('speed'), Type.Literal('size'), Type.Literal('score')]),

    /** Null when a side has no values. */
    ratio: Type.Union([Type.Number(), Type.Null()]),
    target: Type.Union([targetSchema, Type.Null()]),

    /** Null without a target. A target whose values are missing is not met. */
    met: Type.Union([Type.Boolean(), Type.Null()]),

    /** Settings of the sides, and why a side has no values. */
    notes: Type.Array(Type.String()),

    /** When and at which commit the row was measured, if that was for an earlier report. */
    recordedAt: Type.Optional(Type.String()),
    commit: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

export type Row = Static<typeof rowSchema>;

/** The row of an experiment's outputs: values, ratio, and whether the target is met. */
export function rowOf(experiment: string, spec: RowSpec, { ours, peer }: Measured): Row {
  const { name, figure, unit, ratioOf, target = null } = spec;
  const [our = [], their = []] = [ours.figures[figure], peer.figures[figure]];
  const ratio = ratioBetween(ratioOf, our, their);
  const isCompared = target !== null && Object.keys(target).some((condition) => condition !== 'oursAtMost');
  const problems = [
    ...problemOf('ours', ours, our.length === 0 && figure),
    ...problemOf('the peer', peer, isCompared && their.length === 0 && figure),
  ];
  return {
    experiment,
    name,
    ours: our,
    peer: their,
    unit,
    ratioOf,
    ratio,
    target,
    met: target && isMet(target, { ours: our, peer: their, ratio }),
    notes: [...ours.notes.map((note) => `ours: ${note}`), ...peer.notes.map((note) => `peer: ${note}`), ...problems],
  };
}

/** Why a side lacks values. `missing` is the figure that it should have measured. */
function problemOf(side: string, { problem }: Measured['ours'], missing: string | false): string[] {
  if (problem !== undefined) return [`${side} failed: ${problem}`];
  return missing === false ? [] : [`${side} measured no figure "${missing}"`];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? NaN;
  const middle = (sorted.length - 1) / 2;
  return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** On a machine with other load, the best run is what repeats; scores have no such bias. */
function ratioBetween(ratioOf: Row['ratioOf'], ours: readonly number[], peer: readonly number[]): number | null {
  if (ours.length === 0 || peer.length === 0) return null;
  if (ratioOf === 'score') return mean(ours) / mean(peer);
  return ratioOf === 'speed' ? smallest(peer) / smallest(ours) : smallest(ours) / smallest(peer);
}

function isMet(target: Target, { ours, peer, ratio }: Pick<Row, 'ours' | 'peer' | 'ratio'>): boolean {
  const { ratioAtLeast, ratioAtMost, oursAtMost, withinNoise } = target;
  if (ratioAtLeast !== undefined && (ratio === null || ratio < ratioAtLeast)) return false;
  if (ratioAtMost !== undefined && (ratio === null || ratio > ratioAtMost)) return false;
  if (oursAtMost !== undefined && (ours.length === 0 || smallest(ours) > oursAtMost)) return false;
  return withinNoise === undefined || isWithinNoise(ours, peer);
}

/** Whether our mean is at most two standard errors of the difference below the peer's. */
function isWithinNoise(ours: readonly number[], peer: readonly number[]): boolean {
  if (ours.length === 0 || peer.length === 0) return false;
  const squaredError = (values: readonly number[]): number => {
    const centre = mean(values);
    const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    return squares / Math.max(1, values.length - 1) / values.length;
  };
  return mean(ours) >= mean(peer) - 2 * Math.sqrt(squaredError(ours) + squaredError(peer));
}
