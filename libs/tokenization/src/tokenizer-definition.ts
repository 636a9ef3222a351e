/** A token that is searched in the text before any other step, as listed in `tokenizer.json`. */
export interface AddedToken {
  id: number;
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
  special?: boolean;
}

/** A step of the pipeline: a type with type-specific options. */
export interface PipelineStep {
  type: string;
  [option: string]: unknown;
}

interface ModelStep extends PipelineStep {
  /** Token → id; for Unigram, a list of [token, score]. */
  vocab: Record<string, number> | [string, number][];
}

/** The parts of Hugging Face's `tokenizer.json` that determine ids. */
export interface TokenizerJson {
  added_tokens: AddedToken[];
  normalizer: PipelineStep | null;
  pre_tokenizer: PipelineStep | null;
  post_processor: PipelineStep | null;
  decoder: PipelineStep | null;
  model: ModelStep;
}

/**
 * `standard` tokenises as Hugging Face's fast tokenizers do; `nemo` tokenises word by word with the slow ones, as NeMo does. The
 * modes differ for byte-level BPE (a separate word has no leading space) and for rare characters.
 */
export type TokenizerMode = 'standard' | 'nemo';

/** Everything that determines a tokenizer's ids, as plain JSON: equal definitions give equal ids, in any thread. */
export interface TokenizerDefinition {
  /** Hugging Face's class name without `Fast`: `BertTokenizer`, `RobertaTokenizer` … */
  name: string;

  mode: TokenizerMode;
  json: TokenizerJson;

  /** Ids before each text: [CLS], or <s>. */
  prefixIds: number[];

  /** Ids after each text: [SEP], or </s>. */
  suffixIds: number[];

  padId: number;
  unknownId: number;
}
