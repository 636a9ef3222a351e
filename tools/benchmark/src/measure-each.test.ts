import { expect, test } from '@jest/globals';
import type { Experiment } from './experiment.js';
import type { RunSide } from './measure.js';
import { measureEach, type Outcome } from './measure-each.js';

const experiment = (name: string, more: Partial<Experiment> = {}): Experiment => ({
  name,
  rows: [{ name: `${name} of both`, figure: 'step', unit: 'ms', ratioOf: 'speed' }],
  ours: { program: 'a' },
  peer: { program: 'b' },
  repeats: 1,
  ...more,
});

const machine = { cpu: 'CPU', cores: 2, memoryGb: 8, instructions: ['avx2'] };
const run: RunSide = (_side, whose) => Promise.resolve({ figures: { step: [whose === 'ours' ? 1 : 2] } });

async function outcomesOf(
  experiments: Experiment[],
  o: { run?: RunSide; only?: string[]; quick?: boolean; interruption?: AbortController } = {},
): Promise<Outcome[]> {
  const { signal } = o.interruption ?? new AbortController();
  const outcomes: Outcome[] = [];
  const measuring = measureEach(experiments, o.run ?? run, {
    ...{ only: o.only, quick: o.quick ?? false, machine, signal },
  });
  for await (const outcome of measuring) outcomes.push(outcome);
  return outcomes;
}

test('the outcome of an experiment is known before the next one starts', async () => {
  const log: string[] = [];
  const measuring = measureEach([experiment('first'), experiment('second')], run, {
    ...{ quick: false, machine, signal: new AbortController().signal },
    onStart: (name) => log.push(`start of ${name}`),
  });
  for await (const { name } of measuring) log.push(`outcome of ${name}`);
  expect(log).toEqual(['start of first', 'outcome of first', 'start of second', 'outcome of second']);
});

test('an interruption leaves the outcomes of the experiments before it, and none of its own', async () => {
  const interruption = new AbortController();
  const outcomes = await outcomesOf(
    [experiment('first'), experiment('second', { ours: { program: 'interrupted' } }), experiment('third')],
    {
      interruption,
      run: (side, whose) => {
        if (side.program !== 'interrupted') return run(side, whose);
        interruption.abort();
        throw new Error('exit code null');
      },
    },
  );
  expect(outcomes.map(({ name }) => name)).toEqual(['first']);
});

test('what is not measured has a reason', async () => {
  const experiments = [experiment('fast'), experiment('slow', { notQuick: 'takes minutes' })];
  const needy = experiment('bfloat16', { needs: 'bfloat16' });
  expect(await outcomesOf([...experiments, needy], { quick: true })).toEqual([
    { name: 'fast', rows: [expect.objectContaining({ name: 'fast of both', ours: [1], peer: [2], ratio: 2 })] },
    { name: 'slow', reason: 'takes minutes' },
    { name: 'bfloat16', reason: 'the processor has no bfloat16 instructions' },
  ]);
  const named = await outcomesOf(experiments, { quick: true, only: ['slow'] });
  expect(named).toEqual([{ name: 'slow', rows: [expect.objectContaining({ ours: [1] })] }]);
});
