import type { JsonObject, JsonValue } from '@nautil/contracts';
import { TokenizerError } from './errors.js';
import { pairTemplateOf } from './pair-template.js';
import type { Tokenizer } from './tokenizer.js';
import type { AddedToken } from './tokenizer-definition.js';

export interface HuggingFaceTokenizer {
  /** The content of each file, by its name. */
  files: { 'tokenizer.json': JsonObject; 'tokenizer_config.json': JsonObject };

  /** Sentences about texts of which the ids are others. */
  notes: string[];
}

/**
 * A tokenizer as the files that Hugging Face's libraries read.
 *
 * @param o.maxTokens - the length to which texts are truncated, with their special tokens
 * @param o.hasTypes - whether the model reads `token_type_ids`
 * @throws TokenizerError for NeMo's mode with another model than WordPiece: it divides every text otherwise
 */
export function huggingFaceTokenizer(
  tokenizer: Tokenizer,
  { maxTokens, hasTypes }: { maxTokens: number; hasTypes: boolean },
): HuggingFaceTokenizer {
  const { json, mode } = tokenizer.definition;
  const { type } = json.model;
  if (mode === 'nemo' && type !== 'WordPiece')
    throw new TokenizerError(
      `the model's tokenizer is ${type}, word by word as in NeMo, which tokenizer.json cannot state`,
      {
        hint: '--format onnx, safetensors and nemo export models without a tokenizer.json',
      },
    );
  return {
    files: {
      'tokenizer.json': tokenizerJsonOf(tokenizer),
      'tokenizer_config.json': {
        // The class that reads everything from tokenizer.json: one for a family would replace its normalizer.
        tokenizer_class: 'PreTrainedTokenizerFast',
        model_max_length: maxTokens,
        model_input_names: ['input_ids', ...(hasTypes ? ['token_type_ids'] : []), 'attention_mask'],
        clean_up_tokenization_spaces: false,
        ...specialTokensOf(tokenizer),
      },
    },
    notes:
      mode === 'nemo'
        ? ['the model divides texts as NeMo does; the exported tokenizer gives other ids for a few rare characters']
        : [],
  };
}

function tokenizerJsonOf(tokenizer: Tokenizer): JsonObject {
  const { json } = tokenizer.definition;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: json.added_tokens.map(completeToken).sort((a, b) => a.id - b.id),
    normalizer: json.normalizer as JsonValue,
    pre_tokenizer: json.pre_tokenizer as JsonValue,
    post_processor: templateOf(tokenizer),
    decoder: json.decoder as JsonValue,
    model: json.model as unknown as JsonObject,
  };
}

/** With all options, which the Rust library requires. */
const completeToken = ({ id, content, ...options }: AddedToken) => ({
  id,
  content,
  single_word: options.single_word === true,
  lstrip: options.lstrip === true,
  rstrip: options.rstrip === true,
  normalized: options.normalized ?? options.special !== true,
  special: options.special === true,
});

/** The special tokens around a text and around a pair, which the definition states apart from the post-processor of its file. */
function templateOf(tokenizer: Tokenizer): JsonObject {
  const { definition } = tokenizer;
  const tokens = new Map<string, JsonObject>();
  const special = (id: number, typeId: number): JsonObject => {
    const content = tokenizer.tokenOf(id);
    tokens.set(content, { id: content, ids: [id], tokens: [content] });
    return { SpecialToken: { id: content, type_id: typeId } };
  };
  const text = (id: 'A' | 'B', typeId: number): JsonObject => ({ Sequence: { id, type_id: typeId } });
  const single = [
    ...definition.prefixIds.map((id) => special(id, 0)),
    text('A', 0),
    ...definition.suffixIds.map((id) => special(id, 0)),
  ];
  const pair = pairTemplateOf(definition).map((part) =>
    'id' in part ? special(part.id, part.typeId) : text(part.text === 0 ? 'A' : 'B', part.typeId),
  );
  return { type: 'TemplateProcessing', single, pair, special_tokens: Object.fromEntries(tokens) };
}

/** The tokens by their roles, as keys of tokenizer_config.json. */
function specialTokensOf(tokenizer: Tokenizer): JsonObject {
  const { json, prefixIds, suffixIds, padId, unknownId } = tokenizer.definition;
  const mask = json.added_tokens.find(({ content }) => ['[MASK]', '<mask>'].includes(content));
  const ids = { cls: prefixIds[0], sep: suffixIds[0], pad: padId, unk: unknownId, mask: mask?.id };
  return Object.fromEntries(
    Object.entries(ids).flatMap(([role, id]) => (id === undefined ? [] : [[`${role}_token`, tokenizer.tokenOf(id)]])),
  );
}
