import type { JsonObject } from '@nautil/contracts';

const special = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

/** A tokenizer.json such as XLM-R's. The given tokens, with their scores, follow the special ones. */
export function unigramJson(tokens: [token: string, score: number][]): JsonObject {
  return {
    added_tokens: special.map((content, id) => ({ id, content, special: true, lstrip: content === '<mask>' })),
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'NFKC' }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' }],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '<s>', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '</s>', type_id: 0 } },
      ],
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
    model: { type: 'Unigram', unk_id: 3, vocab: [...special.map((token) => [token, 0]), ...tokens] },
  };
}
