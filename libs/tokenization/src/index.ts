export { assembleBatch, padRows, type Batch } from './assemble-batch.js';
export { buildTokenCache, tokenCacheKey, type TokenCacheOptions, type TokenCacheSummary } from './build-token-cache.js';
export { CorruptCache, TokenizerError } from './errors.js';
export type { LengthStatistics } from './length-statistics.js';
export { loadTokenizer, type LoadedTokenizer, type TokenizerOptions } from './load-tokenizer.js';
export { planBatches, type BatchPlan, type BatchPlanOptions } from './plan-batches.js';
export { openTokenCache, type TokenCache } from './token-cache.js';
export { createTokenizer, type Tokenizer } from './tokenizer.js';
export type { TokenizerDefinition, TokenizerMode } from './tokenizer-definition.js';
