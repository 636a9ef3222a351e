/** Above every published vocabulary; the largest, XLM-V's, has 900,000 tokens. */
export const mostIds = 1_000_000;

/** Above every published list; the largest have 450,000. Each takes about 4 µs and 400 bytes. */
export const mostMerges = 500_000;
