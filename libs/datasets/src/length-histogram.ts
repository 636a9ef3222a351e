/** Longer lengths are counted as this one; only `max` is exact for them. */
const largest = 0xffff;

export interface LengthSummary {
  min: number;
  max: number;
  mean: number;
  median: number;
  percentile75: number;
  percentile95: number;
  percentile99: number;
}

/** A histogram of lengths in constant memory. */
export class LengthHistogram {
  readonly #counts = new Float64Array(largest + 1);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  add(length: number): void {
    const bin = Math.min(length, largest);
    this.#counts[bin] = (this.#counts[bin] ?? 0) + 1;
    this.#count++;
    this.#sum += length;
    this.#min = Math.min(this.#min, length);
    this.#max = Math.max(this.#max, length);
  }

  /** Number of lengths above a bound. */
  above(bound: number): number {
    return this.#counts.subarray(Math.min(bound, largest) + 1).reduce((sum, count) => sum + count, 0);
  }

  /** Undefined without lengths. Percentiles are nearest-rank, so they are lengths that occur. */
  summary(): LengthSummary | undefined {
    if (this.#count === 0) return undefined;
    return {
      min: this.#min,
      max: this.#max,
      mean: this.#sum / this.#count,
      median: this.#percentile(50),
      percentile75: this.#percentile(75),
      percentile95: this.#percentile(95),
      percentile99: this.#percentile(99),
    };
  }

  #percentile(percent: number): number {
    const rank = Math.ceil((percent / 100) * this.#count);
    let seen = 0;
    return this.#counts.findIndex((count) => (seen += count) >= rank);
  }
}
