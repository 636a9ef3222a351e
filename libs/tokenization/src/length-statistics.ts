/** Statistics of the tokens per row, including [CLS] and [SEP], after truncation. */
export interface LengthStatistics {
  min: number;
  max: number;
  mean: number;
  median: number;
  percentile75: number;
  percentile99: number;
}

/** Percentiles interpolate linearly, as in numpy. */
export function lengthStatistics(lengths: Uint16Array): LengthStatistics {
  if (lengths.length === 0) throw new RangeError('there are no lengths');
  const counts = new Float64Array(2 ** 16);
  let sum = 0;
  for (const length of lengths) {
    counts[length] = (counts[length] ?? 0) + 1;
    sum += length;
  }
  /** The length at an index of the sorted lengths. */
  const sortedAt = (index: number) => {
    let seen = 0;
    return counts.findIndex((count) => (seen += count) > index);
  };
  const percentile = (percent: number) => {
    const index = ((lengths.length - 1) * percent) / 100;
    const below = sortedAt(Math.floor(index));
    return below + (sortedAt(Math.ceil(index)) - below) * (index - Math.floor(index));
  };
  return {
    min: sortedAt(0),
    max: sortedAt(lengths.length - 1),
    mean: sum / lengths.length,
    median: percentile(50),
    percentile75: percentile(75),
    percentile99: percentile(99),
  };
}
