/** Tokens per row, [CLS] and [SEP] included, after truncation. */
export interface LengthStatistics {
  min: number;
  max: number;
  mean: number;
  median: number;
  percentile75: number;
  percentile99: number;
}

/** Percentiles interpolate linearly, as numpy's. */
export function lengthStatistics(lengths: Uint16Array): LengthStatistics {
  if (lengths.length === 0) throw new RangeError('no lengths: nothing to describe');
  const counts = new Float64Array(2 ** 16);
  let sum = 0;
  for (const length of lengths) {
    counts[length] = (counts[length] ?? 0) + 1;
    sum += length;
  }
  /** The value at a place of the sorted lengths. */
  const at = (place: number) => {
    let seen = 0;
    const value = counts.findIndex((count) => (seen += count) > place);
    return value;
  };
  const percentile = (percent: number) => {
    const place = ((lengths.length - 1) * percent) / 100;
    const below = at(Math.floor(place));
    return below + (at(Math.ceil(place)) - below) * (place - Math.floor(place));
  };
  return {
    min: at(0),
    max: at(lengths.length - 1),
    mean: sum / lengths.length,
    median: percentile(50),
    percentile75: percentile(75),
    percentile99: percentile(99),
  };
}
