import { type JsonObject, largest } from '@nautil/contracts';
import { MissingTensors, UnsupportedFile } from '../errors.js';

export interface InferredConfig {
  /** A Hugging Face `config.json`. */
  readonly config: JsonObject;

  /** Sentences that say what was decided and by what, for the log. */
  readonly notes: readonly string[];
}

/** What is known beside the weights' shapes. */
export interface ConfigHints {
  /** Name of the pretrained model: `roberta-base`, `microsoft/MiniLM-L12-H384-uncased`. */
  readonly modelName?: string;

  /** Number of attention heads, which no shape shows. */
  readonly attentionHeads?: number;
}

/**
 * The encoder's configuration from the shapes of its weights (Hugging Face names, no prefix), for archives of NeMo 1.5 to
 * 1.8, which carry none. Sizes are read off; the kind, the number of heads and the epsilon can't be, and are said.
 *
 * @throws MissingTensors when a weight that shows a size isn't there, UnsupportedFile when the heads can't be guessed
 */
export function inferEncoderConfig(
  shapes: ReadonlyMap<string, readonly number[]>,
  source: string,
  hints: ConfigHints = {},
): InferredConfig {
  const shape = (name: string): readonly number[] => {
    const found = shapes.get(name);
    if (found?.length === 2) return found;
    throw new MissingTensors(source, `there is no encoder configuration, and no matrix ${name} to read its sizes from`);
  };
  const layersUnder = (prefix: string): number => {
    const numbers = [...shapes.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number.parseInt(name.slice(prefix.length), 10));
    return largest([-1, ...numbers]) + 1;
  };

  const [vocabSize = 0, hidden = 0] = shape('embeddings.word_embeddings.weight');
  const [positions = 0] = shape('embeddings.position_embeddings.weight');
  if (shapes.has(albertProjection))
    return inferAlbert({ vocabSize, positions, embedding: hidden }, shapes, source, hints);
  const heads = guessHeads(hidden, source, hints);

  if (shapes.has('transformer.layer.0.attention.q_lin.weight')) {
    const [intermediate = 0] = shape('transformer.layer.0.ffn.lin1.weight');
    const config = {
      activation: 'gelu',
      architectures: ['DistilBertModel'],
      attention_dropout: 0.1,
      dim: hidden,
      dropout: 0.1,
      hidden_dim: intermediate,
      initializer_range: 0.02,
      max_position_embeddings: positions,
      model_type: 'distilbert',
      n_heads: heads.count,
      n_layers: layersUnder('transformer.layer.'),
      pad_token_id: 0,
      sinusoidal_pos_embds: false,
      vocab_size: vocabSize,
    };
    return { config, notes: [readOff('distilbert', config.n_layers, hidden), heads.note] };
  }

  const kind = guessKind(shapes, hints.modelName ?? '');
  const [intermediate = 0] = shape('encoder.layer.0.intermediate.dense.weight');
  const [types = 0] = shape('embeddings.token_type_embeddings.weight');
  const config = {
    architectures: [kind.architecture],
    attention_probs_dropout_prob: 0.1,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0.1,
    hidden_size: hidden,
    initializer_range: 0.02,
    intermediate_size: intermediate,
    layer_norm_eps: kind.epsilon,
    max_position_embeddings: positions,
    model_type: kind.type,
    num_attention_heads: heads.count,
    num_hidden_layers: layersUnder('encoder.layer.'),
    pad_token_id: kind.padTokenId,
    position_embedding_type: 'absolute',
    type_vocab_size: types,
    vocab_size: vocabSize,
  };
  return { config, notes: [readOff(kind.type, config.num_hidden_layers, hidden), kind.note, heads.note] };
}

const albertProjection = 'encoder.embedding_hidden_mapping_in.weight';

/** The layers and heads of the published ALBERT models (base, large, xlarge, xxlarge), by their hidden size. */
const albertSizes: Readonly<Record<number, { layers: number; heads: number }>> = {
  768: { layers: 12, heads: 12 },
  1024: { layers: 24, heads: 16 },
  2048: { layers: 24, heads: 16 },
  4096: { layers: 12, heads: 64 },
};

/** ALBERT's layers share their weights, so no shape shows how many there are. */
function inferAlbert(
  { vocabSize, positions, embedding }: { vocabSize: number; positions: number; embedding: number },
  shapes: ReadonlyMap<string, readonly number[]>,
  source: string,
  hints: ConfigHints,
): InferredConfig {
  const [hidden = 0] = shapes.get(albertProjection) ?? [];
  const known = albertSizes[hidden];
  const groups = shapes.has('encoder.albert_layer_groups.1.albert_layers.0.ffn.weight');
  const inner = shapes.has('encoder.albert_layer_groups.0.albert_layers.1.ffn.weight');
  if (known === undefined || groups || inner) {
    throw new UnsupportedFile(source, 'there is no encoder configuration, and no published ALBERT has these weights', {
      hint: 'give the config.json of the model that was fine-tuned: no weight shows the number of layers',
    });
  }
  const [intermediate = 0] = shapes.get('encoder.albert_layer_groups.0.albert_layers.0.ffn.weight') ?? [];
  const [types = 0] = shapes.get('embeddings.token_type_embeddings.weight') ?? [];
  const heads = hints.attentionHeads ?? known.heads;
  const config = {
    architectures: ['AlbertModel'],
    attention_probs_dropout_prob: 0,
    embedding_size: embedding,
    hidden_act: 'gelu_new',
    hidden_dropout_prob: 0,
    hidden_size: hidden,
    initializer_range: 0.02,
    inner_group_num: 1,
    intermediate_size: intermediate,
    layer_norm_eps: 1e-12,
    max_position_embeddings: positions,
    model_type: 'albert',
    num_attention_heads: heads,
    num_hidden_groups: 1,
    num_hidden_layers: known.layers,
    pad_token_id: 0,
    type_vocab_size: types,
    vocab_size: vocabSize,
  };
  const note = `no weight shows ALBERT's layers and heads: ${known.layers} and ${heads}, as the published model of that width has`;
  return { config, notes: [readOff('albert', known.layers, hidden), note] };
}

function readOff(kind: string, layers: number, hidden: number): string {
  return `no encoder configuration: its sizes were read off the weights (${kind}, ${layers} layers, ${hidden} wide)`;
}

function guessHeads(hidden: number, source: string, hints: ConfigHints): { count: number; note: string } {
  if (hints.attentionHeads !== undefined)
    return { count: hints.attentionHeads, note: `${hints.attentionHeads} attention heads, as given` };
  // Heads are 64 wide in BERT, RoBERTa, DistilBERT and Megatron's, but 32 in MiniLM.
  const width = /minilm/i.test(hints.modelName ?? '') ? 32 : 64;
  if (hidden > 0 && hidden % width === 0) {
    const count = hidden / width;
    return { count, note: `no weight shows the number of attention heads: ${count} taken, of ${width} columns each` };
  }
  throw new UnsupportedFile(
    source,
    `there is no encoder configuration, and ${hidden} columns are no whole number of heads of ${width}`,
    {
      hint: 'give the number of attention heads, or the config.json of the model that was fine-tuned',
    },
  );
}

const robertaLike = /roberta|camembert|xlm-r/i;

function guessKind(shapes: ReadonlyMap<string, readonly number[]>, modelName: string) {
  if (shapes.has('encoder.ln.weight')) {
    return {
      type: 'megatron-bert',
      architecture: 'MegatronBertModel',
      epsilon: 1e-5,
      padTokenId: 0,
      note: 'a layer norm after the last layer: Megatron BERT, with the epsilon of Megatron-LM, 1e-5',
    };
  }
  const oneSegment = shapes.get('embeddings.token_type_embeddings.weight')?.[0] === 1;
  if (oneSegment || robertaLike.test(modelName)) {
    const why = oneSegment ? 'one token type' : `the name ${modelName}`;
    return {
      type: 'roberta',
      architecture: 'RobertaModel',
      epsilon: 1e-5,
      padTokenId: 1,
      note: `${why}: RoBERTa, padding 1, epsilon 1e-5`,
    };
  }
  return {
    type: 'bert',
    architecture: 'BertModel',
    epsilon: 1e-12,
    padTokenId: 0,
    note: 'several token types: BERT, padding 0, epsilon 1e-12',
  };
}
