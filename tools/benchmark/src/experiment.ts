/** What must hold of a row for its target to be met; every condition that is present. */
export interface Target {
  ratioAtLeast?: number;
  ratioAtMost?: number;

  /** Of our best value, in the row's unit. */
  oursAtMost?: number;

  /** The means of both sides differ by no more than the noise between their runs, or ours is better. */
  withinNoise?: true;
}

/** One line of the report. */
export interface RowSpec {
  name: string;

  /** The name of the values in the sides' output. */
  figure: string;

  unit: string;

  /**
   * `speed`: the values are times, and the ratio is the peer's best time / our best time. `size`: less is better, and the ratio
   * is our best value / the peer's. `score`: more is better, and the ratio is our mean / the peer's.
   */
  ratioOf: 'speed' | 'size' | 'score';
  target?: Target;
}

/** The arguments of a program: one of ours below `src/ours`, or a peer's below `peers`. */
export interface Side {
  program: string;
  args?: string[];
}

/** Two programs for the same work, which run alternately, and the rows that compare their figures. */
export interface Experiment {
  /** For `--only`. */
  name: string;

  rows: RowSpec[];
  ours: Side;

  /** Absent: the rows have a target for our side alone. */
  peer?: Side;

  /** Number of processes of each side. */
  repeats: number;

  /** Each process gets `--seed` with its number, from 1. */
  seeded?: boolean;

  /** The processor must have instructions for bfloat16, or the machine a GPU. */
  needs?: 'bfloat16' | 'gpu';

  /** Why the quick mode leaves it out. */
  notQuick?: string;
}
