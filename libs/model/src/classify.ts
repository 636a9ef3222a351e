import { dropout, type DropoutDraw, linear, type Tensor } from '@nautil/tensorflow';
import type { Weights } from './layers/encoder-trace.js';
import { poolerName } from './layers/transformer.js';
import { headLayerName } from './weights.js';

export interface ClassifyOptions {
  /** `model.classifier_head.num_output_layers`: linear layers, with relu between them. */
  numOutputLayers: number;
  /** Dropout of the encoder's output, `model.classifier_head.fc_dropout`; absent: none. */
  dropout?: (DropoutDraw & { rate: number }) | undefined;
}

/** Higher than the sites of any encoder. */
const headSite = 1 << 16;

/**
 * The head of NeMo's classifier. For use inside `trace`.
 *
 * @param first - [B, H], the first token of each row
 * @returns logits, [B, C]
 */
export function classify(weights: Weights, first: Tensor, o: ClassifyOptions): Tensor {
  let x = o.dropout ? dropout(first, { ...o.dropout, site: headSite }) : first;
  for (let index = 0; index < o.numOutputLayers; index++) {
    if (index > 0) x = x.relu();
    const name = headLayerName(index);
    x = linear(x, weights[`${name}.weight`]!, weights[`${name}.bias`]);
  }
  return x;
}

/** Hugging Face's pooled output, [B, H], of the first tokens, [B, H]. NeMo's classifier does not use it. */
export function pool(weights: Weights, first: Tensor): Tensor {
  return linear(first, weights[`${poolerName}.weight`]!, weights[`${poolerName}.bias`]).tanh();
}
