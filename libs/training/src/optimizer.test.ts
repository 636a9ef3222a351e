import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { loadConfig, type OptimizerName, optimizerOptions } from '@nautil/config';
import { Graph, hostTensor, Session } from '@nautil/tensorflow';
import { optimizerOf } from './optimizer.js';

interface Recorded {
  defaults: Record<OptimizerName, Record<string, unknown>>;
  weight: number[];
  gradients: number[][];
  cases: { optim: Record<string, unknown> & { name: string; lr: number }; weights: number[][] }[];
}

// PyTorch's results for the same weight and gradients, recorded by record-optimizers.py in the same folder.
const recorded = JSON.parse(readFileSync(new URL('../oracle/optimizers.json', import.meta.url), 'utf8')) as Recorded;

/** `model.optim` with an optimizer's recorded options; the others are PyTorch's defaults, not those of NeMo's file. */
async function optimWith({ name, lr, ...options }: Recorded['cases'][number]['optim']) {
  const overrides = ['~model.optim.betas', '~model.optim.weight_decay', '~model.optim.sched'];
  const given = Object.entries(options).map(([key, value]) => `++model.optim.${key}=${JSON.stringify(value)}`);
  const { config } = await loadConfig({
    overrides: [...overrides, `model.optim.name=${name}`, `model.optim.lr=${lr}`, ...given],
  });
  return config.model.optim;
}

test.each(recorded.cases.map((kase) => [JSON.stringify(kase.optim), kase] as const))(
  '%s steps as in PyTorch',
  async (_, { optim, weights }) => {
    const optimizer = optimizerOf(await optimWith(optim));
    const shape = [recorded.weight.length];
    const graph = new Graph();
    const weight = graph.variable('weight', shape);
    const slots = Object.fromEntries(optimizer.slots.map(({ name }) => [name, graph.variable(name, shape)]));
    const gradient = graph.placeholder('float32', shape);
    const scalars = new Map(optimizer.inputs.map((name) => [name, graph.placeholder('float32', [])]));
    const targets = optimizer.update({ graph, weight, slots, gradient, scalar: (name) => scalars.get(name)! });
    const value = graph.placeholder('float32', shape);
    const assigned = [weight, ...Object.values(slots)].map((variable) => variable.assign(value));
    const read = weight.read();
    const session = new Session(graph);
    const vector = (values: number[]) => hostTensor('float32', shape, Float32Array.from(values));

    const first = [
      recorded.weight,
      ...optimizer.slots.map(({ initial }) => shape.flatMap((n) => Array<number>(n).fill(initial))),
    ];
    for (const [i, assign] of assigned.entries()) {
      await session.run({ feeds: [[value, vector(first[i]!)]], targets: [assign] });
    }
    for (const [i, expected] of weights.entries()) {
      const values = optimizer.scalars(i, optim.lr);
      const feeds = [...scalars].map(([name, input]) => [input, values[name]!] as const);
      await session.run({ feeds: [[gradient, vector(recorded.gradients[i]!)], ...feeds], targets });
      const [now] = await session.run({ fetches: [read] });
      for (const [at, w] of expected.entries()) {
        const difference = Math.abs(Number(now!.data[at]) - w);
        if (!(difference < 2e-6))
          throw new Error(`step ${i}, value ${at}: ${now!.data[at]} differs from ${w} by ${difference}`);
      }
    }
    session.close();
    graph.close();
  },
);

test.each(Object.entries(recorded.defaults))('%s has PyTorch’s defaults', (name, defaults) => {
  const options = optimizerOptions({ name: name as OptimizerName });
  expect(defaults).toMatchObject(options);
  // Every other option of PyTorch's may only be off.
  const others = Object.entries(defaults).filter(([key]) => !Object.hasOwn(options, key));
  expect(others.filter(([, value]) => value !== false)).toEqual([]);
});

test.each(Object.entries(recorded.defaults))('PyTorch’s steps are recorded for every option of %s', (name) => {
  const given = new Set(
    recorded.cases.filter(({ optim }) => optim.name === name).flatMap(({ optim }) => Object.keys(optim)),
  );
  const options = Object.keys(optimizerOptions({ name: name as OptimizerName }));
  expect(options.filter((key) => key !== 'amsgrad' && !given.has(key))).toEqual([]);
});

test.each(['rprop', 'novograd', 'adafactor'])(
  '%s is rejected when the configuration is loaded, with the accepted names',
  async (name) => {
    const loaded = loadConfig({ overrides: ['~model.optim.betas', `model.optim.name=${name}`] });
    await expect(loaded).rejects.toThrow(new RegExp(`model\\.optim\\.name is ${name}; it must be adam, `));
  },
);
