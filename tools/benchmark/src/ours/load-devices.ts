/**
 * Measures the same training step on one to four logical devices of this processor, in one process and in several, with the rates from
 * which the model of docs/scaling.md predicts them. Each point has a process of its own.
 */
import { parseArgs } from 'node:util';
import { largest, smallest } from '@nautil/contracts';
import { miniLm } from '../paths.js';
import { gradientBytes, measuredBatch } from '../planning/device-scaling.js';
import { ourCommand, runSide } from '../run-side.js';
import { printSideOutput } from '../side-output.js';
import { figuresOf } from './closed-loop.js';

const { values: o } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

const repeats = o.quick ? 1 : 2;
const points = [
  { devices: 1, processes: 1 },
  { devices: 2, processes: 1 },
  { devices: 3, processes: 1 },
  { devices: 4, processes: 1 },
  { devices: 1, processes: 2 },
  { devices: 1, processes: 3 },
].slice(0, o.quick ? 2 : undefined);

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => interruption.abort());

/** The values of a figure over several processes. Other programs make a step slower and never faster: callers take the best. */
async function valuesOf(program: string, args: readonly string[], figure: string): Promise<number[]> {
  const values: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { figures } = await runSide([...ourCommand(program), ...args], interruption.signal);
    for (const value of figures[figure] ?? []) values.push(value);
  }
  return values;
}

async function measurePoint({ devices, processes }: (typeof points)[number]) {
  const members = devices * processes;
  const together = ['--devices', String(devices), '--processes', String(processes)];
  const steps = await valuesOf(
    'train-steps',
    [
      ...['--model', miniLm, '--rows', String(measuredBatch.rows / members), '--length', String(measuredBatch.length)],
      ...['--warm-up', '2', '--steps', '10', '--set', 'model.optim.weight_decay=0'],
      ...together,
    ],
    'step',
  );
  const reduce = async (bytes: number): Promise<number> =>
    members === 1 ? 0 : smallest(await valuesOf('all-reduce', ['--bytes', String(bytes), ...together], 'allReduce'));
  const [allReduce, smallAllReduce] = [await reduce(gradientBytes), await reduce(4)];
  return { devices, processes, step: smallest(steps), allReduce, smallAllReduce };
}

const rows: Record<string, number>[] = [];
for (const point of points) rows.push(await measurePoint(point));
const matmul = largest(await valuesOf('processor-rates', [], 'matmul'));
const update = smallest(await valuesOf('processor-rates', [], 'update'));
printSideOutput({ figures: { ...figuresOf('devices', rows), 'rates.matmul': [matmul], 'rates.update': [update] } });
