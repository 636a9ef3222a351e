import { OnnxGraph, type OnnxModel } from '@nautil/onnx';
import type { EncoderConfig } from './encoder-config.js';
import { onnxActivationOf } from './onnx-activation.js';
import { embeddingNames, finalNorm, headLayerName, type LayerNames, layerNames } from './weights.js';

/** float32's lowest value, as in `encode`: a row that is all padding gets uniform probabilities. */
const lowest = -3.4028234663852886e38;

interface OnnxSource {
  encoder: EncoderConfig;
  head?: { numOutputLayers: number } | undefined;

  /** The value of a weight, by its name without NeMo's prefix. */
  weightOf: (name: string) => { shape: readonly number[]; data: Float32Array };
}

/**
 * The forward pass that `Forward` computes, in ONNX. Rows and length are free in each run.
 *
 * Inputs: `ids`, `positions` (indexes into the table of positions) and `mask` (0 or 1), all int32 [rows, length].
 * Output: logits, or without a head the first token's hidden state.
 */
export function exportOnnx({ encoder, head, weightOf }: OnnxSource): OnnxModel {
  const { family, hiddenSize, numHeads, numLayers, layerNormEps: epsilon } = encoder;
  const preNorm = family === 'megatron-bert';
  const activation = onnxActivationOf(encoder.activation);
  const graph = new OnnxGraph();
  const ids = graph.input('ids', 'int32', ['rows', 'length']);
  const positions = graph.input('positions', 'int32', ['rows', 'length']);
  const mask = graph.input('mask', 'int32', ['rows', 'length']);
  const firstIndex = graph.weight('first', [1], Int32Array.of(0));

  const weight = (name: string): string => {
    const { shape, data } = weightOf(name);
    return graph.weight(name, shape, data);
  };
  /** x·Wᵀ, without the bias: the node that reads the product adds it. */
  const project = (name: string, x: string) =>
    graph.fused('FusedMatMul', [x, weight(`${name}.weight`)], { transB: { int: 1 } });
  const normWeights = (name: string) => ({ gain: weight(`${name}.weight`), shift: weight(`${name}.bias`), epsilon });
  const firstOf = (x: string) => graph.op('Gather', [x, firstIndex], { axis: { int: 1 } }); // [rows, 1, H]

  const attend = (names: LayerNames, querying: string, source: string): string => {
    const biases = [names.query, names.key, names.value].map((name) => weightOf(`${name}.bias`).data);
    const bias = graph.weight(`${names.query}.biases`, [3 * hiddenSize], concatenated(biases));
    const heads = [project(names.query, querying), project(names.key, source), project(names.value, source)];
    const context = graph.fused('MultiHeadAttention', [...heads, bias, mask], {
      num_heads: { int: numHeads },
      mask_filter_value: lowest,
    });
    return project(names.attentionOutput, context);
  };

  const words = graph.op('Gather', [weight(embeddingNames.words), ids]);
  const { shape, data } = positionTable(encoder, weightOf);
  const places = graph.op('Gather', [graph.weight(embeddingNames.positions, shape, data), positions]);
  const embedded = graph.skipNorm(
    words,
    places,
    normWeights(preNorm ? layerNames(family, 0).attentionNorm : embeddingNames.norm),
  );
  // `x` is added to the results of a layer's halves, and `source` is what they read: the same, unless the norm comes first.
  let source = embedded.norm;
  let x = preNorm ? embedded.sum : embedded.norm;
  for (let layer = 0; layer < numLayers; layer++) {
    const names = layerNames(family, layer);
    const isLast = layer === numLayers - 1;
    const querying = isLast ? firstOf(source) : source;
    const residual = isLast ? firstOf(x) : x;
    const attended = graph.skipNorm(attend(names, querying, source), residual, {
      ...normWeights(preNorm ? names.outputNorm : names.attentionNorm),
      bias: weight(`${names.attentionOutput}.bias`),
    });
    const inner = activation(graph, project(names.up, attended.norm), weight(`${names.up}.bias`));
    const nextNorm = isLast ? finalNorm : layerNames(family, layer + 1).attentionNorm;
    const output = graph.skipNorm(project(names.down, inner), preNorm ? attended.sum : attended.norm, {
      ...normWeights(preNorm ? nextNorm : names.outputNorm),
      bias: weight(`${names.down}.bias`),
    });
    source = output.norm;
    x = preNorm ? output.sum : output.norm;
  }

  let result = graph.op('Squeeze', [source, graph.weight('axis', [1], BigInt64Array.of(1n))]); // [rows, H]
  for (let index = 0; head !== undefined && index < head.numOutputLayers; index++) {
    if (index > 0) result = graph.op('Relu', [result]);
    const name = headLayerName(index);
    result = graph.op('Gemm', [result, weight(`${name}.weight`), weight(`${name}.bias`)], { transB: { int: 1 } });
  }
  graph.output(result, 'float32', ['rows', 'outputs']);
  return graph.encode();
}

/** The table of positions, with the vector of the only segment added to each. */
function positionTable({ typeVocabSize }: EncoderConfig, weightOf: OnnxSource['weightOf']) {
  const positions = weightOf(embeddingNames.positions);
  if (typeVocabSize === 0) return positions;
  const segment = weightOf(embeddingNames.types).data;
  const width = positions.shape[1]!;
  return { ...positions, data: positions.data.map((value, index) => value + segment[index % width]!) };
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
