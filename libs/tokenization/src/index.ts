export { assembleBatch, padRows, type Batch } from './assemble-batch.js';
export { buildTokenCache, examplesWorthThreads, tokenCacheKey, type TokenCacheSummary } from './build-token-cache.js';
export { storedCasing } from './casing.js';
export { loadTokenizer, type LoadedTokenizer, requireSupportedTokenizer } from './load-tokenizer.js';
export { planBatches, type BatchPlan } from './plan-batches.js';
export { openTokenCache, type TokenCache } from './token-cache.js';
export { createTokenizer, type Tokenizer } from './tokenizer.js';
export { parseTokenizerDefinition } from './tokenizer-schema.js';
export type { TokenizerDefinition } from './tokenizer-definition.js';
