/**
 * The loss weight of each row of a batch. With these weights the batch's loss is `sum(weight · nll)`, the weighted mean of torch's
 * `CrossEntropyLoss(weight)`.
 *
 * @param labels - [rows]
 * @param share - the batch's share of an optimizer step, 1 / accumulate_grad_batches
 */
export function rowWeights(labels: Int32Array, classWeights: number[] | undefined, share = 1): Float32Array {
  const total = labels.reduce((sum, label) => sum + weightOf(label, classWeights), 0);
  return Float32Array.from(labels, (label) => (weightOf(label, classWeights) / total) * share);
}

/**
 * The cross entropy of a batch, with torch's weighted mean.
 *
 * @param logits - [rows, classes], row-major
 */
export function crossEntropy(logits: Float32Array, labels: Int32Array, classWeights?: number[]): number {
  const classes = logits.length / labels.length;
  let loss = 0;
  let total = 0;
  for (const [row, label] of labels.entries()) {
    const weight = weightOf(label, classWeights);
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    loss += weight * (logSumExp(scores) - scores[label]!);
    total += weight;
  }
  return loss / total;
}

/** The probabilities of one row of logits. */
export function softmax(logits: Float32Array): Float32Array {
  const normalizer = logSumExp(logits);
  return logits.map((x) => Math.exp(x - normalizer));
}

/** The index of the largest value; the first among equals, as torch.argmax on a CPU. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function logSumExp(x: Float32Array): number {
  let max = -Infinity;
  for (const value of x) max = Math.max(max, value);
  let sum = 0;
  for (const value of x) sum += Math.exp(value - max);
  return max + Math.log(sum);
}

const weightOf = (label: number, classWeights: number[] | undefined): number => classWeights?.[label] ?? 1;
