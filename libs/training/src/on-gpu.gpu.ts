import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Config } from '@nautil/config';
import { largest } from '@nautil/contracts';
import { Graph, hostTensor, OutOfMemory, Session } from '@nautil/tensorflow';
import { readGoldenJson, testDevice } from '@nautil/testing';
import { chooseDevices } from './choose-devices.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainWithInterruptions } from './testing/train-with-interruptions.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

interface Trained {
  losses: number[];
  evaluations: number[];
  arithmetic: string;
  weights: Buffer;
}

const noDropout = 'model.classifier_head.fc_dropout=0';

/** Trains to the end. Without dropout in the head, there is none in the encoder. */
async function train(name: string, overrides: readonly string[], interruptAt: number[] = []): Promise<Trained> {
  const hasDropout = !overrides.includes(noDropout);
  const job = await tiny.job(name, ['nautil.batches.length_multiple=32', ...overrides]);
  const config = readGoldenJson('bert-tiny-uncased/config.json') as Record<string, unknown>;
  const off = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  if (!hasDropout) job.encoder = { ...job.encoder, config: { ...config, ...off } };
  const { result, events } = await trainWithInterruptions(job, interruptAt);
  return {
    losses: events.flatMap((event) => (event.type === 'step' ? [event.loss] : [])),
    evaluations: events.flatMap((event) => (event.type === 'eval' ? [event.loss] : [])),
    arithmetic: events.flatMap((event) => (event.type === 'start' ? [event.arithmetic] : [])).at(-1)!,
    weights: await readFile(result.lastWeights),
  };
}

const onCpu = ['trainer.accelerator=cpu'];
const float32 = ['trainer.precision=32', 'nautil.tf32=false'];

const largestDifference = (a: readonly number[], b: readonly number[]): number => {
  expect(a).toHaveLength(b.length);
  return largest(a.map((value, at) => Math.abs(value - b[at]!)));
};

test('TensorFlow lists the GPU, with its name, memory and compute capability', () => {
  const { names, gpus } = chooseDevices({ accelerator: 'gpu', devices: 1, precision: 32 }, { intra_op_threads: 0 });
  expect(names).toEqual([testDevice()]);
  expect(gpus[0]).toMatch(/^GPU:0, .+, \d+\.\d GB, compute capability \d+\.\d+[a-z]?$/);
  process.stdout.write(`${gpus.join('\n')}\n`);
});

test('memory grows with its use: a session without variables leaves most of the card to others', () => {
  const used = execFileSync('nvidia-smi', ['--query-gpu=memory.used,memory.total', '--format=csv,noheader,nounits'], {
    encoding: 'utf8',
  });
  const [inUse, total] = used.split('\n')[0]!.split(',').map(Number);
  expect(inUse! / total!).toBeLessThan(0.1);
});

test('a tensor that the card has no room for is an OutOfMemory', async () => {
  const graph = new Graph();
  const session = new Session(graph);
  const huge = graph.onDevice(testDevice(), () => {
    const value = graph.placeholder('float32', []);
    const shape = graph.constant('int32', [2], Int32Array.of(2 ** 20, 2 ** 18)); // a terabyte
    return {
      value,
      sum: graph.op('Sum', [graph.op('Fill', [shape, value]), graph.constant('int32', [2], Int32Array.of(0, 1))]),
    };
  });
  const run = session.run({
    feeds: [[huge.value, hostTensor('float32', [], Float32Array.of(1))]],
    fetches: [huge.sum],
  });
  await expect(run).rejects.toThrow(OutOfMemory);
  session.close();
  graph.close();
});

describe.each([
  ['without dropout', [noDropout]],
  ['with dropout', []],
])('%s', (what, dropout) => {
  let processor: Trained;
  beforeAll(async () => (processor = await train(`cpu ${what}`, [...onCpu, ...dropout])));

  test('the losses in float32 are those of the processor', async () => {
    const gpu = await train(`float32 ${what}`, [...float32, ...dropout]);
    const difference = largestDifference(gpu.losses, processor.losses);
    process.stdout.write(`float32, ${what}: largest difference of a loss ${difference}\n`);
    expect(difference).toBeLessThan(1e-4);
    expect(largestDifference(gpu.evaluations, processor.evaluations)).toBeLessThan(1e-4);
    expect(gpu.arithmetic).not.toBe(processor.arithmetic);
  });

  test.each<[string, string[], number]>([
    ['TF32', ['trainer.precision=32', 'nautil.tf32=true'], 0.01],
    ['bfloat16', ['trainer.precision=bf16'], 0.03],
    ['float16', ['trainer.precision=16'], 0.01],
    ['float32 with XLA', [...float32, 'trainer.compile=true'], 1e-3],
    ['bfloat16 with XLA', ['trainer.precision=bf16', 'trainer.compile=true'], 0.03],
    ['float16 with XLA', ['trainer.precision=16', 'trainer.compile=true'], 0.01],
  ])('the losses in %s differ from those in float32 by rounding only', async (name, overrides, most) => {
    const gpu = await train(`${name} ${what}`, [...overrides, ...dropout]);
    const difference = largestDifference(gpu.losses, processor.losses);
    process.stdout.write(`${name}, ${what}: largest difference of a loss ${difference}; ${gpu.arithmetic}\n`);
    expect(difference).toBeLessThan(most);
  });
});

const precisions: Config['trainer']['precision'][] = [32, 'bf16', 16];

describe.each(precisions)('with trainer.deterministic=true, in precision %s', (precision) => {
  const overrides = [`trainer.precision=${precision}`, 'trainer.deterministic=true'];

  test('a run that is interrupted twice ends with the bytes of one that is not', async () => {
    const unbroken = await train(`unbroken ${precision}`, overrides);
    const resumed = await train(`resumed ${precision}`, overrides, [2, 7]);
    expect(resumed.weights.equals(unbroken.weights)).toBe(true);
  });
});
