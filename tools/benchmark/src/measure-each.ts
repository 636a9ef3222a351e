import type { Experiment } from './experiment.js';
import { hasBfloat16, type Machine } from './machine.js';
import { measure, type RunSide } from './measure.js';
import { type Row, rowOf } from './row.js';

/** The rows of an experiment, or why it was not measured. */
export type Outcome = { name: string; rows: Row[] } | { name: string; reason: string };

export interface MeasureEachOptions {
  /** The names of the experiments to measure; default: all. */
  only?: readonly string[] | undefined;
  quick: boolean;
  machine: Machine;

  /** Ends the measurement. */
  signal: AbortSignal;
  onStart?: (name: string) => void;
}

/**
 * Measures experiments one after another, and yields the outcome of each as soon as it is known. The experiment that `signal`
 * interrupts is not yielded, because a side that was ended looks like one that failed.
 */
export async function* measureEach(
  experiments: readonly Experiment[],
  run: RunSide,
  { only, quick, machine, signal, onStart }: MeasureEachOptions,
): AsyncGenerator<Outcome> {
  for (const experiment of experiments) {
    const { name, needs, notQuick, rows } = experiment;
    if (only && !only.includes(name)) continue;
    const reason =
      needs === 'bfloat16' && !hasBfloat16(machine)
        ? 'the processor has no bfloat16 instructions'
        : needs === 'gpu' && machine.gpu === undefined
          ? 'nvidia-smi lists no GPU'
          : quick && !only?.includes(name)
            ? notQuick
            : undefined;
    if (reason !== undefined) {
      yield { name, reason };
      continue;
    }
    onStart?.(name);
    const measured = await measure(experiment, run);
    if (signal.aborted) return;
    yield { name, rows: rows.map((spec) => rowOf(name, spec, measured)) };
  }
}
