import { openTokenCache, type TokenizerDefinition } from '@nautil/tokenization';

interface TokenStatistics {
  /** Examples by label id. [classes] */
  labelCounts: number[];

  /** Tokens without those that every text has, such as [CLS] and [SEP]. */
  tokens: number;

  /** Tokens that stand for a part of a text that the vocabulary lacks. */
  unknown: number;
}

/** Counts the labels and the tokens of a token cache, whose blocks are read one after another. @throws CorruptCache */
export function tokenStatistics(
  path: string,
  { numClasses, definition }: { numClasses: number; definition: TokenizerDefinition },
): TokenStatistics {
  const { prefixIds, suffixIds, unknownId } = definition;
  const added = new Set([...prefixIds, ...suffixIds]);
  const statistics = { labelCounts: new Array<number>(numClasses).fill(0), tokens: 0, unknown: 0 };
  const cache = openTokenCache(path);
  try {
    for (let row = 0; row < cache.count; row++) {
      const label = cache.label(row);
      statistics.labelCounts[label] = (statistics.labelCounts[label] ?? 0) + 1;
      for (const id of cache.ids(row)) {
        if (added.has(id)) continue;
        statistics.tokens += 1;
        if (id === unknownId) statistics.unknown += 1;
      }
    }
  } finally {
    cache.close();
  }
  return statistics;
}
