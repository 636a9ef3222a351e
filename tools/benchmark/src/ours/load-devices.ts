/**
 * Measures the same training step on one to four logical devices of this processor, in one process and in several, with the rates from
 * which the model of docs/scaling.md predicts them, all in processor time, which other programs hardly change. Each point has
 * processes of its own.
 */
import { parseArgs } from 'node:util';
import { smallest } from '@nautil/contracts';
import { miniLm } from '../paths.js';
import { gradientBytes, measuredBatch } from '../planning/device-scaling.js';
import { ourCommand, runSide } from '../run-side.js';
import { printSideOutput } from '../side-output.js';
import { figuresOf } from './closed-loop.js';

const { values: o } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

const repeats = 1;
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

/** The least value of each figure over several processes. */
async function best(program: string, args: readonly string[], figures: readonly string[]): Promise<number[]> {
  const values: number[][] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const output = await runSide([...ourCommand(program), ...args], interruption.signal);
    values.push(figures.map((figure) => smallest(output.figures[figure] ?? [NaN])));
  }
  return figures.map((_, at) => smallest(values.map((of) => of[at] ?? NaN)));
}

async function measurePoint({ devices, processes }: (typeof points)[number]) {
  const members = devices * processes;
  const together = ['--devices', String(devices), '--processes', String(processes)];
  const [step = NaN] = await best(
    'train-steps',
    [
      ...['--model', miniLm, '--rows', String(measuredBatch.rows / members), '--length', String(measuredBatch.length)],
      ...['--warm-up', '2', '--steps', '10', '--set', 'model.optim.weight_decay=0'],
      ...together,
    ],
    ['cpu'],
  );
  const reduce = async (bytes: number) =>
    members === 1 ? [0, 0] : best('all-reduce', ['--bytes', String(bytes), ...together], ['cpu', 'allReduce']);
  const [allReduce = NaN, wall = NaN] = await reduce(gradientBytes);
  const [smallAllReduce = NaN, smallWall = NaN] = await reduce(4);
  // The processes are equal, so that each uses as much of the processor as this one.
  return {
    ...{ devices, processes, step: step * processes },
    ...{ allReduce: allReduce * processes, smallAllReduce: smallAllReduce * processes, wall, smallWall },
  };
}

const rows: Record<string, number>[] = [];
for (const point of points) rows.push(await measurePoint(point));
const [gigaflop = NaN, update = NaN] = await best('processor-rates', [], ['gigaflop', 'update']);
printSideOutput({
  figures: { ...figuresOf('devices', rows), 'rates.matmul': [1000 / gigaflop], 'rates.update': [update] },
});
