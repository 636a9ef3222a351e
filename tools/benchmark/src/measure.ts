import type { Experiment, Side } from './experiment.js';
import type { SideOutput } from './side-output.js';

/** The outputs of both sides of an experiment, or why a side has none. */
export interface Measured {
  ours: SideRuns;
  peer: SideRuns;
}

interface SideRuns {
  figures: Record<string, number[]>;
  notes: string[];

  /** Why the side did not run to its end. It is not started again after its first failure. */
  problem?: string;
}

export type RunSide = (side: Side, whose: 'ours' | 'peer') => Promise<SideOutput>;

/**
 * Runs both sides of an experiment alternately, so that a change in the load of the machine concerns both. A side that fails
 * does not end the benchmark.
 */
export async function measure({ ours, peer, repeats, seeded = false }: Experiment, run: RunSide): Promise<Measured> {
  const measured: Measured = { ours: { figures: {}, notes: [] }, peer: { figures: {}, notes: [] } };
  for (let repeat = 0; repeat < repeats; repeat++) {
    const seeds = seeded ? ['--seed', String(repeat + 1)] : [];
    const withSeed = ({ program, args = [] }: Side): Side => ({ program, args: [...args, ...seeds] });
    await addRun(measured.ours, () => run(withSeed(ours), 'ours'));
    if (peer) await addRun(measured.peer, () => run(withSeed(peer), 'peer'));
  }
  return measured;
}

async function addRun(runs: SideRuns, run: () => Promise<SideOutput>): Promise<void> {
  if (runs.problem !== undefined) return;
  try {
    const { figures, notes = [] } = await run();
    for (const [figure, values] of Object.entries(figures)) {
      runs.figures[figure] = [...(runs.figures[figure] ?? []), ...values];
    }
    runs.notes = [...runs.notes, ...notes.filter((note) => !runs.notes.includes(note))];
  } catch (error) {
    runs.problem = error instanceof Error ? error.message : String(error);
  }
}
