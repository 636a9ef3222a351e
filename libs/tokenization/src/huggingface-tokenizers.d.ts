/**
 * What this lib uses of `@huggingface/tokenizers` 0.2.0. The package's own declarations import each other without file
 * extensions, which NodeNext resolution does not follow: all of it would be `any`.
 */
declare module '@huggingface/tokenizers' {
  /** Divides words into tokens. */
  export interface Model {
    (words: string[]): string[];
    unk_token_id: number | undefined;
  }

  export const BPE: new (config: object) => Model;
  export const WordPiece: new (config: object) => Model;

  export class ByteLevelPreTokenizer {
    constructor(config: object);
    pattern: RegExp;
    pre_tokenize_text(text: string): string[];
  }

  export class ReplaceNormalizer {
    constructor(config: object);
    readonly pattern: RegExp;
  }

  export class SplitPreTokenizer {
    constructor(config: object);
    readonly pattern: RegExp;
  }
}
