/** A token that is found in the text before anything else, as `tokenizer.json` lists it. */
export interface AddedToken {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

/** A step of the pipeline: `type`, and options by type. */
export interface PipelineStep {
  type: string;
  [option: string]: unknown;
}

export interface ModelStep extends PipelineStep {
  /** Token → id, or for Unigram the list of [token, score]. */
  vocab: Record<string, number> | [string, number][];
}

/** The parts of Hugging Face's `tokenizer.json` that make ids of a text. */
export interface TokenizerJson {
  added_tokens: AddedToken[];
  normalizer: PipelineStep | null;
  pre_tokenizer: PipelineStep | null;
  post_processor: PipelineStep | null;
  decoder: PipelineStep | null;
  model: ModelStep;
}

/**
 * How a text becomes ids. `standard`: as Hugging Face's fast tokenizers. `nemo`: word by word through the slow ones, as NeMo does.
 * They differ for byte-level BPE (a word alone has no leading space) and for rare characters.
 */
export type TokenizerMode = 'standard' | 'nemo';

/** All that decides a tokenizer's ids, as plain JSON: equal definitions give equal ids, here and in a worker thread. */
export interface TokenizerDefinition {
  /** Hugging Face's class, without `Fast`: `BertTokenizer`, `RobertaTokenizer` … */
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
