/** NeMo's tokenizer kinds that the supported encoders do not use. NeMo accepts them in place of a model's name. */
const unsupportedTokenizers = ['sentencepiece', 'word', 'char', 'regex', 'yttm'];

/** Whether a `tokenizer_name` is one of the kinds that NeMo has and Nautil does not. Such a name is no model's. */
export function isUnsupportedTokenizer(name: string): boolean {
  return unsupportedTokenizers.includes(name.toLowerCase());
}
