import type { Experiment } from './experiment.js';
import { bertBaseConfig, miniLm } from './paths.js';

/** What the sizes of the experiments depend on. */
export interface Plan {
  quick: boolean;

  /** Threads of both sides. */
  threads: number;
}

const precisions = ['float32', 'bfloat16'] as const;
type Precision = (typeof precisions)[number];

const needsOf = (precision: Precision): Pick<Experiment, 'needs'> =>
  precision === 'bfloat16' ? { needs: 'bfloat16' } : {};

/** Every experiment, in the order of the report. */
export function experiments({ quick, threads }: Plan): Experiment[] {
  const withThreads = ['--threads', String(threads)];

  const step = (precision: Precision): Experiment => {
    const args = ['--model', miniLm, '--precision', precision, '--steps', quick ? '10' : '20', ...withThreads];
    return {
      name: `step-${precision}`,
      ...needsOf(precision),
      rows: [
        {
          name: `training step of MiniLM-L6, 32 × 32, ${precision}`,
          figure: 'step',
          unit: 'ms',
          ratioOf: 'speed',
          target: { ratioAtLeast: precision === 'float32' ? 3 : 2.5 },
        },
      ],
      ours: { program: 'train-steps', args },
      peer: { program: 'train_steps', args },
      repeats: quick ? 2 : 4,
    };
  };

  const bertBase = (precision: Precision): Experiment => {
    const size = ['--rows', '32', '--length', '128', '--warm-up', '1', '--steps', '3'];
    const args = ['--model', bertBaseConfig, '--precision', precision, ...size, ...withThreads];
    return {
      name: `bert-base-${precision}`,
      ...needsOf(precision),
      notQuick: 'takes minutes',
      rows: [
        {
          name: `training step of BERT-base, 32 × 128, random weights, ${precision}`,
          figure: 'step',
          unit: 'ms',
          ratioOf: 'speed',
          target: { ratioAtLeast: 1.5 },
        },
      ],
      ours: { program: 'train-steps', args },
      peer: { program: 'train_steps', args },
      repeats: 2,
    };
  };

  return [...precisions.map(step), ...precisions.map(bertBase)];
}
