import { expect, test } from '@jest/globals';
import { crossEntropy, Graph, hostTensor, Session, traceGradients } from './index.js';

const logits = Float32Array.of(1.5, -2, 0.25, 100, -100, 0, -3, -3, -3, 0, 1e-3, -1e-3);
const labels = Int32Array.of(0, 1, 2, 1);
const weights = Float32Array.of(0.1, 0.2, 0.3, 0.4);
const classes = 3;

/** Sum and derivatives in float64. */
function expected(): { loss: number; gradient: number[] } {
  let loss = 0;
  const gradient = Array.from(labels, (label, row) => {
    const scores = Array.from(logits.slice(row * classes, (row + 1) * classes));
    const most = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
    const probabilities = scores.map((score) => Math.exp(score - most) / sum);
    loss += weights[row]! * (most + Math.log(sum) - scores[label]!);
    return probabilities.map((p, at) => weights[row]! * (p - (at === label ? 1 : 0)));
  });
  return { loss, gradient: gradient.flat() };
}

// A machine without a GPU computes there on the processor, with the ops that a GPU gets.
test.each(['/device:CPU:0', '/device:GPU:0'])('loss and gradient are those of float64, on %s', async (device) => {
  const graph = new Graph();
  const { inputs, loss, gradients } = graph.onDevice(device, () => {
    const rows = graph.freeSize();
    const given = graph.placeholder('float32', [rows, classes]);
    const ids = graph.placeholder('int32', [rows]);
    const shares = graph.placeholder('float32', [rows]);
    const traced = traceGradients(graph, [given], ({ tensor }, [x]) => crossEntropy(x!, tensor(ids), tensor(shares)));
    return { inputs: [given, ids, shares], loss: traced.value, gradients: traced.gradients };
  });
  const session = new Session(graph);
  const [value, gradient] = await session.run({
    feeds: [
      [inputs[0]!, hostTensor('float32', [labels.length, classes], logits)],
      [inputs[1]!, hostTensor('int32', [labels.length], labels)],
      [inputs[2]!, hostTensor('float32', [labels.length], weights)],
    ],
    fetches: [loss, gradients[0]!],
  });
  session.close();
  graph.close();
  const truth = expected();
  expect((value!.data as Float32Array)[0]).toBeCloseTo(truth.loss, 4);
  Array.from(gradient!.data as Float32Array).forEach((x, at) => expect(x).toBeCloseTo(truth.gradient[at]!, 6));
});
