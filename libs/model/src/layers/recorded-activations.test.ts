import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { OnnxGraph, OnnxSession } from '@nautil/onnx';
import { Graph, hostTensor, type Output, Session, traceGradients } from '@nautil/tensorflow';
import { onnxActivationOf } from '../onnx/onnx-activation.js';
import { activationNames, activationOf } from './activation.js';

/** tests/golden/record/configurations.py: what PyTorch computes with transformers' activations. */
const { inputs, of: recorded } = (
  JSON.parse(readFileSync(new URL('../../../../tests/golden/configurations.json', import.meta.url), 'utf8')) as {
    activations: { inputs: number[]; of: Record<string, { outputs: number[]; slopes: number[] }> };
  }
).activations;

const shape = [1, inputs.length];

function expectClose(actual: Float32Array, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, at) => {
    const off = Math.abs(value - expected[at]!) / Math.max(1, Math.abs(expected[at]!));
    expect({ input: inputs[at], value, expected: expected[at], isClose: off < 1e-5 }).toMatchObject({ isClose: true });
  });
}

test.each(activationNames)('%s and its slope are transformers’ in TensorFlow', async (name) => {
  const graph = new Graph();
  const x = graph.placeholder('float32', shape);
  let outputs: Output | undefined;
  const { gradients } = traceGradients(graph, [x], ({ output }, [value]) => {
    const y = activationOf(name)(value!.mul(1)); // linear's output would be the placeholder, which cannot be fetched
    outputs = output(y);
    return y.sum();
  });
  const session = new Session(graph);
  const feeds = [[x, hostTensor('float32', shape, Float32Array.from(inputs))] as const];
  const [values, slopes] = await session.run({ feeds, fetches: [outputs!, gradients[0]!] });
  session.close();
  graph.close();
  expectClose(values!.data as Float32Array, recorded[name]!.outputs);
  expectClose(slopes!.data as Float32Array, recorded[name]!.slopes);
});

const portable = activationNames.flatMap((name) => [false, true].map((isPortable) => [name, { isPortable }] as const));

test.each(portable)('%s is transformers’ in onnxruntime: %j', async (name, options) => {
  const graph = new OnnxGraph(options);
  const x = graph.input('x', 'float32', ['rows', inputs.length]);
  const bias = graph.weight('bias', [inputs.length], new Float32Array(inputs.length).fill(0.25));
  graph.output(onnxActivationOf(name)(graph, x, bias), 'float32', ['rows', inputs.length]);
  const session = await OnnxSession.create(graph.encode());
  const data = Float32Array.from(inputs, (input) => input - 0.25);
  expectClose(await session.run({ x: { shape, data } }, shape), recorded[name]!.outputs);
  session.close();
});
