/**
 * What this lib uses of `@huggingface/tokenizers` 0.2.0. The package's own declarations import each other without file
 * extensions, which NodeNext resolution does not follow: all of it would be `any`.
 */
declare module '@huggingface/tokenizers' {
  export class Tokenizer {
    constructor(tokenizerJson: object, tokenizerConfig: object);
    normalizer: ((text: string) => string) | null;
    pre_tokenizer: object | null;
    model: { encode(words: string[]): string[] } | null;
    encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
    token_to_id(token: string): number | undefined;
    id_to_token(id: number): string | undefined;

    /** An id without a token comes out as a token that is undefined. */
    get_vocab(): Map<string | undefined, number>;
  }

  export class ByteLevelPreTokenizer {
    pattern: RegExp;
  }
}
