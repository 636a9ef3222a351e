export { CorruptCache, TokenizerError } from './errors.js';
export { loadTokenizer, type LoadedTokenizer, type TokenizerOptions } from './load-tokenizer.js';
export { createTokenizer, type Tokenizer } from './tokenizer.js';
export type { TokenizerDefinition, TokenizerMode } from './tokenizer-definition.js';
