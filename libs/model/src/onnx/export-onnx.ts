import { hasByteProducts, type OnnxModel } from '@nautil/onnx';
import { type EncoderConfig, hasSegments } from '../encoder-config.js';
import { familyOf, type OnnxFamily } from '../families/index.js';
import { headLayerName } from '../weights.js';
import { OnnxTrace, type WeightOf } from './onnx-trace.js';

interface OnnxSource {
  encoder: EncoderConfig;
  head?: { numOutputLayers: number } | undefined;
  weightOf: WeightOf;

  /**
   * How the layers multiply. int8: weights are rounded to bytes with a scale for each output, and the numbers that they multiply with a
   * scale for each token, so that a row's result does not depend on its batch. Embeddings, norms, attention scores, the attention of the
   * last layer and the head stay in float32.
   */
  precision?: InferencePrecision | undefined;

  /** Adds the input `types`, the segment of each token, if the encoder has segments. Default: all tokens are of the first. */
  pairs?: boolean | undefined;

  /** The bytes of int8 are signed, which is faster with the processor's instructions for it and inexact without them. Default: by the processor. */
  signedBytes?: boolean;
}

export type InferencePrecision = 'float32' | 'int8';

/**
 * The forward pass that `Forward` computes, in ONNX. Rows and length are free in each run.
 *
 * Inputs: those of `OnnxTrace`, and `types` for pairs. Output: logits, or without a head the first token's hidden state.
 */
export function exportOnnx({
  encoder,
  head,
  weightOf,
  precision = 'float32',
  pairs = false,
  signedBytes = hasByteProducts(),
}: OnnxSource): OnnxModel {
  const trace = new OnnxTrace({
    weightOf,
    bytes: precision === 'int8' ? { signed: signedBytes } : undefined,
    hasTypes: pairs && hasSegments(encoder),
  });
  trace.graph.output(outputOf(trace, encoder, head), 'float32', ['rows', 'outputs']);
  return trace.graph.encode();
}

/**
 * A classifier as the chunks of an ONNX file for other programs, in float32. Rows and length are free in each run. The inputs are
 * those of NeMo's export, int64 [batch, sequence]: `input_ids`, `attention_mask` (0 or 1) and `token_type_ids`. The output is `logits`,
 * [batch, C].
 *
 * @throws OnnxTooLarge above 2 GB
 */
export function onnxFile({
  encoder,
  head,
  weightOf,
}: Pick<OnnxSource, 'encoder' | 'weightOf'> & {
  head: { numOutputLayers: number; numClasses: number };
}): Uint8Array[] {
  const trace = new OnnxTrace({ weightOf, hasTypes: hasSegments(encoder), isPortable: true });
  trace.graph.output(outputOf(trace, encoder, head), 'float32', ['batch', head.numClasses], 'logits');
  return trace.graph.file();
}

/** The logits, or without a head the first token's hidden state: [rows, outputs]. */
function outputOf(trace: OnnxTrace, encoder: EncoderConfig, head: OnnxSource['head']): string {
  let result = onnxFamilyOf(encoder).encode(encoder, trace); // [rows, H]
  for (let index = 0; head !== undefined && index < head.numOutputLayers; index++) {
    if (index > 0) result = trace.graph.op('Relu', [result]);
    result = trace.linear(headLayerName(index), result);
  }
  return result;
}

/** Whether the encoder's forward pass exists in ONNX; otherwise TensorFlow alone computes it. */
export const hasOnnxExport = (encoder: EncoderConfig): boolean => familyOf(encoder).onnx !== undefined;

/** The ONNX export of the encoder's family. `hasOnnxExport` states whether there is one. */
function onnxFamilyOf(encoder: EncoderConfig): OnnxFamily {
  const { onnx } = familyOf(encoder);
  if (onnx === undefined) throw new Error(`${encoder.modelType} is not exported to ONNX`);
  return onnx;
}
