// cspell:disable: the names of model types
import type { ConfigValues } from './config-keys.js';

/** Model types of transformers that are no text encoders, by what they are. Others are recognized by their settings. */
const kinds: readonly { what: string; types: RegExp; isOne: (config: ConfigValues) => boolean }[] = [
  {
    what: 'it is a vision or multimodal model',
    types:
      /^(?:vit|vit_mae|deit|beit|swin|swinv2|dinov2|convnext|convnextv2|resnet|clip|siglip|align|blip|blip-2|detr|segformer|mobilevit|layoutlm|layoutlmv[23]|vilt|flava|llava|paligemma|idefics.*|qwen\d*(?:_\d+)?_vl)(?:_.*_model)?$/,
    isOne: (config) => ['image_size', 'patch_size', 'num_channels', 'vision_config'].some((key) => key in config),
  },
  {
    what: 'it is an encoder-decoder',
    types:
      /^(?:t5|mt5|umt5|longt5|switch_transformers|bart|mbart|m2m_100|marian|pegasus|pegasus_x|blenderbot|blenderbot-small|led|prophetnet|xlm-prophetnet|fsmt|plbart|bigbird_pegasus|encoder-decoder|whisper|speech_to_text)$/,
    isOne: (config) => config['is_encoder_decoder'] === true || hasArchitecture(config, /ForConditionalGeneration$/),
  },
  {
    what: 'it is a decoder, which generates text as GPT does',
    types:
      /^(?:openai-gpt|gpt.*|llama\d*.*|mistral.*|mixtral|ministral.*|qwen\d.*|gemma\d*.*|phi\d*.*|falcon.*|opt|bloom|mpt|codegen|xglm|biogpt|ctrl|stablelm|starcoder2?|cohere\d*|deepseek.*|olmo\d*|granite.*|mamba\d*|rwkv|jamba|dbrx|smollm\d*|bert-generation)$/,
    isOne: (config) => hasArchitecture(config, /(?:ForCausalLM|LMHeadModel)$/),
  },
  {
    what: 'it is GTE’s own architecture (gte-*-v1.5, gte-multilingual-*), not BERT; thenlper/gte-small, -base and -large are BERT',
    types: /^new$/,
    isOne: () => false,
  },
  {
    what: 'it is DeBERTa’s first version, whose weights have other shapes; versions 2 and 3 have the type deberta-v2',
    types: /^deberta$/,
    isOne: () => false,
  },
];

/** Why a model type is not supported, as a clause for the message; undefined if nothing but the type is known. */
export function whyUnsupported(modelType: string, config: ConfigValues): string | undefined {
  return (kinds.find(({ types }) => types.test(modelType)) ?? kinds.find(({ isOne }) => isOne(config)))?.what;
}

function hasArchitecture({ architectures }: ConfigValues, name: RegExp): boolean {
  return Array.isArray(architectures) && architectures.some((one) => typeof one === 'string' && name.test(one));
}
