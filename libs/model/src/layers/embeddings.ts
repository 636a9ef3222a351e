import { embedding, range, type Tensor, tfjs } from '@nautil/tensorflow';
import { embeddingWeight, normWeights, type WeightSpec } from '../weight-spec.js';
import type { EncoderTrace } from './encoder-trace.js';

/** Hugging Face's names, without `.weight` and `.bias`. */
export const embeddingNames = {
  words: 'embeddings.word_embeddings',
  positions: 'embeddings.position_embeddings',
  types: 'embeddings.token_type_embeddings',
  norm: 'embeddings.LayerNorm',
};

export interface EmbeddingSizes {
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** 0 for an encoder without segments. */
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  readonly initializerRange: number;
}

/** The tables of words, positions and segments, and the norm of their sum; see `embeddingTables`. */
export const embeddingWeights = (
  sizes: EmbeddingSizes,
  o: { width: number; paddedPositions?: boolean },
): WeightSpec[] => [...embeddingTables(sizes, o), ...normWeights(embeddingNames.norm, o.width)];

/**
 * The tables of words, positions and segments.
 *
 * @param o.width - of each vector
 * @param o.paddedPositions - the position of padding is `padTokenId`, as in RoBERTa
 */
export function embeddingTables(
  { vocabSize, maxPositions, typeVocabSize, padTokenId, initializerRange: std }: EmbeddingSizes,
  { width, paddedPositions = false }: { width: number; paddedPositions?: boolean },
): WeightSpec[] {
  return [
    embeddingWeight(embeddingNames.words, { rows: vocabSize, width, std, zeroRow: padTokenId }),
    embeddingWeight(embeddingNames.positions, {
      rows: maxPositions,
      width,
      std,
      ...(paddedPositions ? { zeroRow: padTokenId } : {}),
    }),
    ...(typeVocabSize > 0 ? [embeddingWeight(embeddingNames.types, { rows: typeVocabSize, width, std })] : []),
  ];
}

type Vocabulary = Pick<EmbeddingSizes, 'typeVocabSize' | 'padTokenId'>;

/** The sum of the embeddings of words, positions 0, 1, … and segments, as in BertEmbeddings, without norm: [B·T, E]. */
export function embedFromZero(trace: EncoderTrace, { typeVocabSize, padTokenId }: Vocabulary): Tensor {
  const { batchSize: B, length: T, input } = trace;
  let x = lookUp(trace, embeddingNames.words, input.ids, { paddingId: padTokenId });
  const width = x.shape[1]!;
  let positions = embedding(trace.weight(`${embeddingNames.positions}.weight`), range(T)); // [T, E]
  if (typeVocabSize > 0) {
    if (input.types) x = x.add(lookUp(trace, embeddingNames.types, input.types));
    else positions = positions.add(firstSegment(trace));
  }
  return x
    .reshape([B, T, width])
    .add(positions)
    .reshape([B * T, width]);
}

/** The sum of the embeddings of words and segments, without norm: [B·T, E]. */
export function embedWithoutPositions(trace: EncoderTrace, { typeVocabSize, padTokenId }: Vocabulary): Tensor {
  const { ids, types } = trace.input;
  const words = lookUp(trace, embeddingNames.words, ids, { paddingId: padTokenId });
  if (typeVocabSize === 0) return words;
  return words.add(types ? lookUp(trace, embeddingNames.types, types) : firstSegment(trace));
}

/**
 * The sum of the embeddings of words, positions and segments, as in RobertaEmbeddings, without norm: [B·T, E]. The tokens whose id
 * is not the padding token's are counted, whatever the mask, and the positions start at that id + 1.
 */
export function embedAfterPadding(trace: EncoderTrace, { typeVocabSize, padTokenId }: Vocabulary): Tensor {
  const tf = tfjs();
  const { ids, types } = trace.input;
  let x = lookUp(trace, embeddingNames.words, ids, { paddingId: padTokenId });
  if (types && typeVocabSize > 0) x = x.add(lookUp(trace, embeddingNames.types, types));
  const padId = tf.scalar(padTokenId, 'int32');
  const real = ids.notEqual(padId).toInt();
  const positions = tf.cumsum(real, 1).mul(real).add(padId);
  x = x.add(lookUp(trace, embeddingNames.positions, positions, { paddingId: padTokenId }));
  return types || typeVocabSize === 0 ? x : x.add(firstSegment(trace));
}

/** The rows of a table for ids of [B, T]: [B·T, E]. The row `paddingId` is not trained, even where a text contains its token. */
export function lookUp(trace: EncoderTrace, name: string, ids: Tensor, o: { paddingId?: number } = {}): Tensor {
  return embedding(trace.weight(`${name}.weight`), ids.reshape([trace.batchSize * trace.length]), o);
}

/** The vector of the segment that all tokens have when none are given: [1, E]. */
function firstSegment(trace: EncoderTrace): Tensor {
  const table = trace.weight(`${embeddingNames.types}.weight`);
  return tfjs().slice(table, [0, 0], [1, table.shape[1]!]);
}

/** A table with the first row of another one added to each of its rows. Both have rows of that width. */
export const withFirstRow = (table: Float32Array, other: Float32Array, width: number): Float32Array =>
  table.map((number, index) => number + other[index % width]!);
