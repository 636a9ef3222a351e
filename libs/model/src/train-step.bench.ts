/**
 * Times training steps of a BERT encoder with its head: forward, backward, Adam, dropout.
 *
 *   node --import tsx libs/model/src/train-step.bench.ts [--lengths 16,24,32] [--rows 32] [--steps 12] [--onednn]
 *     [--dropout 0.1] [--precision bfloat16|float16] [--device /device:GPU:0] [--xla]
 *
 * The model has all-MiniLM-L6-v2's sizes and random weights. Wall and CPU time are the least of the steps of each length: on a
 * machine that others use too, the least is what repeats.
 */
import { parseArgs } from 'node:util';
import { smallest } from '@nautil/contracts';
import { type Feed, Graph, hostTensor, openTensorFlow, type Output, Session, traceGradients } from '@nautil/tensorflow';
import { classify } from './classify.js';
import { encode } from './encode.js';
import { encoderWeights, initialWeight, parseEncoderConfig } from './index.js';
import { headWeights } from './weights.js';

const { values: o } = parseArgs({
  options: {
    lengths: { type: 'string', default: '16,24,32' },
    rows: { type: 'string', default: '32' },
    steps: { type: 'string', default: '12' },
    onednn: { type: 'boolean', default: false },
    dropout: { type: 'string', default: '0.1' },
    precision: { type: 'string', default: 'float32' },
    device: { type: 'string', default: '' },
    xla: { type: 'boolean', default: false },
    hidden: { type: 'string', default: '384' },
    layers: { type: 'string', default: '6' },
  },
});
const library = openTensorFlow({ onednn: o.onednn });
const numLayers = Number(o.layers);
const hidden = Number(o.hidden);
const rate = Number(o.dropout);
const config = parseEncoderConfig(
  {
    model_type: 'bert',
    hidden_size: hidden,
    num_hidden_layers: numLayers,
    num_attention_heads: hidden / 32,
    intermediate_size: 4 * hidden,
    hidden_dropout_prob: rate,
    attention_probs_dropout_prob: rate,
  },
  'benchmark',
);
const numClasses = 2;
const numOutputLayers = 2;
const specs = [...encoderWeights(config), ...headWeights({ hiddenSize: hidden, numClasses, numOutputLayers })].filter(
  ({ used }) => used,
);
const graph = new Graph();
const session = new Session(graph);
const build = <T>(work: () => T): T => (o.device ? graph.onDevice(o.device, work) : work());

const { variables, slots, lr, powers } = build(() => ({
  variables: specs.map(({ name, shape }) => graph.variable(name, shape)),
  slots: specs.map(({ name, shape }) => ['m', 'v'].map((slot) => graph.variable(`${slot}/${name}`, shape))),
  lr: graph.placeholder('float32', []),
  powers: [graph.placeholder('float32', []), graph.placeholder('float32', [])],
}));
for (const [i, spec] of specs.entries()) {
  const value = graph.placeholder('float32', spec.shape);
  const feed = (data: Float32Array): Feed[] => [[value, hostTensor('float32', spec.shape, data)]];
  await session.run({ feeds: feed(initialWeight(spec, 1)), targets: [build(() => variables[i]!.assign(value))] });
  const zeros = build(() => slots[i]!.map((slot) => slot.assign(value)));
  await session.run({ feeds: feed(initialWeight({ ...spec, init: 'zeros' }, 1)), targets: zeros });
}

interface Step {
  ids: Output;
  mask: Output;
  labels: Output;
  counter: Output;
  loss: Output;
  updates: Output[];
}

function compile(rows: number, length: number): Step {
  return build(() => {
    const ids = graph.placeholder('int32', [rows, length]);
    const mask = graph.placeholder('int32', [rows, length]);
    const labels = graph.placeholder('float32', [rows, numClasses]);
    const counter = graph.placeholder('int32', []);
    const reads = variables.map((variable) => variable.read());
    const compiled = <T>(work: () => T): T => (o.xla ? graph.withXla(true, work) : work());
    const differentiate = () =>
      traceGradients(graph, reads, ({ tf, tensor }, values) => {
        const weights = Object.fromEntries(specs.map(({ name }, i) => [name, values[i]!]));
        const draw = { seed: 1, step: tensor(counter), rowOffset: tf.scalar(0, 'int32') };
        const input = { ids: tensor(ids), mask: tensor(mask) };
        const first = encode(config, weights, input, {
          dropout: draw,
          firstTokenOnly: true,
          precision: o.precision === 'bfloat16' || o.precision === 'float16' ? o.precision : 'float32',
        });
        const logits = classify(weights, first, { numOutputLayers, dropout: { ...draw, rate } });
        return tf.logSoftmax(logits).mul(tensor(labels)).sum(-1).neg().mean();
      });
    const { value: loss, gradients } = compiled(differentiate);
    const scalar = (value: number) => graph.constant('float32', [], [value]);
    const updates = variables.map(({ handle }, i) =>
      graph.op('ResourceApplyAdam', [
        handle,
        ...slots[i]!.map((slot) => slot.handle),
        ...powers,
        lr,
        scalar(0.9),
        scalar(0.999),
        scalar(1e-8),
        gradients[i]!,
      ]),
    );
    return { ids, mask, labels, counter, loss, updates };
  });
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const lengths = o.lengths.split(',').map(Number);
const rows = Number(o.rows);
const random = initialWeight({ name: 'ids', shape: [1 << 16], used: true, init: 'normal', std: 1 }, 1);
const started = performance.now();
const compiled = lengths.map((length) => compile(rows, length));
print(
  `TensorFlow ${library.version}, oneDNN ${library.onednn ? 'on' : 'off'}; ${graph.nodeCount} nodes for ${lengths.length} lengths, ` +
    `traced in ${Math.round(performance.now() - started)} ms`,
);
const wall = lengths.map(() => [] as number[]);
const cpu = lengths.map(() => [] as number[]);
let last = 0;
for (let step = 1; step <= Number(o.steps); step++) {
  for (const [i, length] of lengths.entries()) {
    const at = compiled[i]!;
    const size = rows * length;
    const ids = Int32Array.from(random.subarray(0, size), (x) => Math.floor(Math.abs(x) * 7000) % config.vocabSize);
    const labels = Float32Array.from({ length: rows * numClasses }, (_, k) => (k % 4 === 0 || k % 4 === 3 ? 1 : 0));
    const [before, beforeCpu] = [performance.now(), process.cpuUsage()];
    const [loss] = await session.run({
      feeds: [
        [at.ids, hostTensor('int32', [rows, length], ids)],
        [at.mask, hostTensor('int32', [rows, length], new Int32Array(size).fill(1))],
        [at.labels, hostTensor('float32', [rows, numClasses], labels)],
        [at.counter, step],
        [lr, 2e-5],
        [powers[0]!, 0.9 ** step],
        [powers[1]!, 0.999 ** step],
      ],
      fetches: [at.loss],
      targets: at.updates,
    });
    wall[i]!.push(performance.now() - before);
    const { user, system } = process.cpuUsage(beforeCpu);
    cpu[i]!.push((user + system) / 1000);
    last = loss!.data[0] as number;
  }
}
for (const [i, length] of lengths.entries()) {
  print(`${rows} x ${length}: ${Math.round(smallest(wall[i]!))} ms, ${Math.round(smallest(cpu[i]!))} ms of CPU`);
}
print(`last loss ${last.toFixed(6)}`);
session.close();
graph.close();
