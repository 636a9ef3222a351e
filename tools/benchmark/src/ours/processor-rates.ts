/**
 * Measures what the model of a step needs to know of this processor: the rate of matmuls in the shapes of the feed-forward, and the
 * time of Adam's update of all weights, in processor time of all threads. Both run in TensorFlow, as in a training.
 */
import { parseArgs } from 'node:util';
import { smallest } from '@nautil/contracts';
import { classifierWeights, parseEncoderConfig } from '@nautil/model';
import { Graph, openTensorFlow, type Output, Session, type Variable } from '@nautil/tensorflow';
import { measuredBatch, measuredSizes } from '../planning/device-scaling.js';
import { printSideOutput } from '../side-output.js';
import { cpuMilliseconds } from './timed-training.js';

const { values: o } = parseArgs({ options: { repeats: { type: 'string', default: '12' } } });

openTensorFlow();
const graph = new Graph();
const initial: Output[] = [];

function variable(name: string, shape: readonly number[], value: number): Variable {
  const filled = graph.op('Fill', [
    graph.constant('int32', [shape.length], Int32Array.from(shape)),
    graph.constant('float32', [], Float32Array.of(value)),
  ]);
  const created = graph.variable(name, shape);
  initial.push(created.assign(filled));
  return created;
}

/** Up and down again, layer after layer. The weights keep the values at 1. */
function buildMatmuls(): { last: Output; flops: number } {
  const { hidden, intermediate, layers } = measuredSizes;
  const tokens = measuredBatch.rows * measuredBatch.length;
  const up = variable('up', [hidden, intermediate], 1 / hidden).read();
  const down = variable('down', [intermediate, hidden], 1 / intermediate).read();
  let x = variable('x', [tokens, hidden], 1).read();
  for (let layer = 0; layer < layers; layer++) x = graph.op('MatMul', [graph.op('MatMul', [x, up]), down]);
  return { last: x, flops: layers * 2 * 2 * tokens * hidden * intermediate };
}

function buildUpdate(): Output[] {
  const { layers, hidden, intermediate, vocabulary, classes } = measuredSizes;
  const encoder = parseEncoderConfig(
    {
      model_type: 'bert',
      num_hidden_layers: layers,
      hidden_size: hidden,
      intermediate_size: intermediate,
      vocab_size: vocabulary,
    },
    'the measured sizes',
  );
  const scalar = (value: number): Output => graph.constant('float32', [], Float32Array.of(value));
  const weights = classifierWeights({ encoder, numClasses: classes, numOutputLayers: 2 }).filter(({ used }) => used);
  return weights.map(({ name, shape }) => {
    const [weight, m, v, gradient] = ['weight', 'm', 'v', 'gradient'].map((part) =>
      variable(`${name}/${part}`, shape, 0.01),
    );
    if (!weight || !m || !v || !gradient) throw new Error('a variable is missing');
    const scalars = [0.9, 0.999, 1e-6, 0.9, 0.999, 1e-8].map(scalar);
    return graph.op('ResourceApplyAdam', [weight.handle, m.handle, v.handle, ...scalars, gradient.read()]);
  });
}

const { last, flops } = buildMatmuls();
const update = buildUpdate();
const session = new Session(graph);
await session.run({ targets: initial });
const fastest = async (targets: Output[]): Promise<number> => {
  const milliseconds: number[] = [];
  for (let repeat = 0; repeat < Number(o.repeats); repeat++) {
    const before = cpuMilliseconds();
    await session.run({ targets });
    milliseconds.push(cpuMilliseconds() - before);
  }
  return smallest(milliseconds.slice(1)); // the first one allocates
};
const gigaflop = ((await fastest([last])) * 1e9) / flops;
printSideOutput({ figures: { gigaflop: [gigaflop], update: [await fastest(update)] } });
session.close();
graph.close();
